# SPDX-License-Identifier: Apache-2.0
# Cross-builds for 64-bit ARM with Debian's compiler, and runs what was built under user-mode emulation. Libraries come
# from SPEEDWELL_SYSROOT, a folder of arm64 packages as tests/neon/run makes it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

set(SPEEDWELL_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../build/neon-sysroot CACHE PATH "Root of a system of arm64 packages")
file(REAL_PATH ${SPEEDWELL_SYSROOT} sysroot)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES SPEEDWELL_SYSROOT)
set(CMAKE_SYSROOT ${sysroot})
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${sysroot}/usr/lib/aarch64-linux-gnu/pkgconfig:${sysroot}/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${sysroot})

set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L ${sysroot})
