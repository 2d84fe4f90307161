# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` lays down. Every path is relative to the prefix, so a prefix can be moved.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/speedwell)
install(TARGETS speedwell EXPORT speedwell-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} FILE_SET HEADERS)
install(EXPORT speedwell-targets NAMESPACE speedwell:: DESTINATION ${package_dir})

configure_package_config_file(cmake/speedwell-config.cmake.in speedwell-config.cmake INSTALL_DESTINATION ${package_dir}
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 each minor version may change the interface.
write_basic_package_version_file(speedwell-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/speedwell-config.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/speedwell-config-version.cmake
  DESTINATION ${package_dir})

# pkg-config: ${pcfiledir} is the folder the file is found in, so the prefix is that many folders up.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig OUTPUT_VARIABLE pc_prefix)
set(pc_libs "-lspeedwell")
set(pc_requires)
if(SPEEDWELL_TBB)
  string(APPEND pc_requires " tbb")
endif()
if(SPEEDWELL_OPENMP)
  string(APPEND pc_libs " ${OpenMP_CXX_FLAGS}")
endif()
list(JOIN HWLOC_LDFLAGS " " hwloc_ldflags)
string(APPEND pc_libs " ${hwloc_ldflags} ${CMAKE_THREAD_LIBS_INIT}")
configure_file(cmake/speedwell.pc.in speedwell.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/speedwell.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The library for C. It brings all that it needs, so it has its own export, which a project without C++ can take alone,
# and its own pkg-config file.
if(SPEEDWELL_C_API)
  install(TARGETS speedwell_c EXPORT speedwell-c-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} FILE_SET HEADERS)
  install(EXPORT speedwell-c-targets NAMESPACE speedwell:: DESTINATION ${package_dir})
  configure_file(cmake/speedwell_c.pc.in speedwell_c.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/speedwell_c.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

# The bench component has targets of its own, so that who uses the library alone needs none of their dependencies.
if(SPEEDWELL_BENCH)
  install(TARGETS speedwell_bench_library EXPORT speedwell-bench-targets
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} FILE_SET HEADERS)
  install(EXPORT speedwell-bench-targets NAMESPACE speedwell:: DESTINATION ${package_dir})
endif()

# The command goes where commands are; what it starts lies in ../libexec/speedwell from there, one program for each
# runtime and peer library that was found.
if(SPEEDWELL_BENCH)
  get_property(programs DIRECTORY bench PROPERTY BUILDSYSTEM_TARGETS)
  foreach(program IN LISTS programs)
    get_target_property(type ${program} TYPE)
    get_target_property(file_name ${program} OUTPUT_NAME)
    if(type STREQUAL EXECUTABLE AND file_name STREQUAL speedwell)
      install(TARGETS ${program})
    elseif(type STREQUAL EXECUTABLE)
      install(TARGETS ${program} RUNTIME DESTINATION libexec/speedwell)
    endif()
  endforeach()
endif()
