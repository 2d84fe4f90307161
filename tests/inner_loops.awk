# SPDX-License-Identifier: Apache-2.0
# Finds the loops that multiply and add, in what objdump says of an object: one line a loop,
#
#   object  instruction set  function  address  "inner" or "outer"  FMAs  their registers  loads  vectors on the stack
#   scalars on the stack  loads of what a register had
#
# separated by tabs. For x86-64 and 64-bit ARM, and any POSIX awk; `object` is the name to print. A loop is a strongly
# connected part of the function's flow of control; what is strongly connected without the edges to its entry is a loop
# within it. (A jump backward isn't enough: compilers put rare code behind the function's end and jump back from there.)
# An inner loop holds no other; what an outer one's inner loops do isn't counted for it. Loops with fewer than `least`
# FMAs are left out. Where there is no fused multiply-add, a multiplication and an addition count as one. What a register
# had is what was loaded from the same address before, with no jump, no store and no change of the address since; only
# counted for x86-64, whose arithmetic may take it from memory.

function isa_of(name,    length_of_it) {
  if (!match(name, /[0-9]+N_[A-Z]/)) return "-"
  length_of_it = substr(name, RSTART, RLENGTH - 3) + 0
  return substr(name, RSTART + RLENGTH - 1, length_of_it - 2)
}

# The places that `from` reaches (or, against the flow, is reached from) in one step or more, within `region`.
function reach(from, edges, reached, region,    stack, height, here, there, i, count, list) {
  split("", reached)
  stack[height = 1] = from
  while (height > 0) {
    here = stack[height--]
    count = split(edges[here], list, " ")
    for (i = 1; i <= count; ++i) {
      there = list[i]
      if (region_of[there] != region || there in reached) continue
      # The edges to a loop's entry are cut, whichever way they are followed.
      if ((edges_forward ? there : here) == entry[region]) continue
      reached[there] = 1
      stack[++height] = there
    }
  }
}

# Splits the function's blocks into loops: region_of[block], parent[region], entry[region].
function find_loops(    region, start, block, ahead, behind, i, count, list) {
  regions = 1
  entry[1] = 0
  leaf[1] = 1
  for (block = 1; block <= blocks; ++block) region_of[block] = 1
  for (region = 1; region <= regions; ++region) {
    for (start = 1; start <= blocks; ++start) {
      if (region_of[start] != region || !jumped_back_to[start]) continue
      edges_forward = 1
      reach(start, successors, ahead, region)
      if (!(start in ahead)) continue
      edges_forward = 0
      reach(start, predecessors, behind, region)
      leaf[region] = 0
      leaf[++regions] = 1
      for (block in ahead) if (block in behind) region_of[block] = regions
      entry[regions] = 0
      for (block = blocks; block >= 1; --block) {
        if (region_of[block] != regions) continue
        if (!entry[regions]) entry[regions] = block
        count = split(predecessors[block], list, " ")
        for (i = 1; i <= count; ++i) if (region_of[list[i]] != regions) entry[regions] = block
      }
    }
  }
}

function find_blocks(    i, target, block) {
  split("", starts)
  split("", successors)
  split("", predecessors)
  split("", jumped_back_to)
  starts[1] = 1
  for (i = 1; i <= instructions; ++i) {
    if (jump_to[i] in place) starts[place[jump_to[i]]] = 1
    if (jump_to[i] != "" || ends[i]) starts[i + 1] = 1
  }
  blocks = 0
  for (i = 1; i <= instructions; ++i) {
    if (i in starts) ++blocks
    block_of[i] = blocks
  }
  for (i = 1; i <= instructions; ++i) {
    block = block_of[i]
    if (jump_to[i] in place) {
      target = block_of[place[jump_to[i]]]
      connect(block, target)
      if (place[jump_to[i]] <= i) jumped_back_to[target] = 1
    }
    if (i < instructions && block_of[i + 1] != block && !ends[i]) connect(block, block + 1)
  }
}

function connect(from, to) {
  successors[from] = successors[from] " " to
  predecessors[to] = predecessors[to] " " from
}

function note_register(region, text,    kind) {
  kind = arm ? "v" : text ~ /%zmm/ ? "zmm" : text ~ /%ymm/ ? "ymm" : "xmm"
  if (index("+" registers[region] "+", "+" kind "+") == 0) {
    registers[region] = registers[region] (registers[region] == "" ? "" : "+") kind
  }
}

function count_instruction(region, mnemonic, text,    vector, on_stack, packed) {
  # Scalars are what the instruction set without vectors computes with; elsewhere they are remainders.
  packed = isa == "SCALAR" ? "[ps][sd]" : "p[sd]"
  if (mnemonic ~ ("^vfn?m(add|sub)(132|213|231)" packed "$") || mnemonic ~ /^fml[as]$/) {
    ++fmas[region]
    note_register(region, text)
  } else if (mnemonic ~ ("^v?mul" packed "$") || (mnemonic == "fmul" && text ~ /v[0-9]+\.[0-9]/)) {
    ++products[region]
    note_register(region, text)
  } else if (mnemonic ~ ("^v?(add|sub)" packed "$") || (mnemonic ~ /^f(add|sub)$/ && text ~ /v[0-9]+\.[0-9]/)) {
    ++sums[region]
    note_register(region, text)
  }

  if (arm) {
    vector = text ~ /[^a-z0-9][vqds][0-9]+[^a-z0-9]/
    on_stack = text ~ /\[sp[],]/ || (framed && text ~ /\[x29[],]/)
    if (vector && mnemonic ~ /^ld/) ++loads[region]
  } else {
    vector = text ~ /%[xyz]mm/
    on_stack = mnemonic !~ /^(lea|nop)/ && (text ~ /\(%rsp[,)]/ || (framed && text ~ /\(%rbp[,)]/))
    # What is stored comes first, and its address last.
    if (vector && text ~ /\)[^)]*,/) ++loads[region]
  }
  if (on_stack && vector) ++vectors_on_stack[region]
  if (on_stack && !vector) ++scalars_on_stack[region]
}

# Whether a vector is loaded that a register had, or could have had: `fresh` forgets what was loaded before.
function loads_again(text, fresh,    operand, target, known) {
  if (fresh) split("", loaded)
  target = text
  sub(/ *(#.*|<.*)?$/, "", target)
  if (text ~ /%[xyz]mm/ && match(text, /[-x0-9a-f]*\([^)]*\)[^)]*,/)) {
    operand = substr(text, RSTART, RLENGTH)
    sub(/\).*/, "", operand)
    if (operand in loaded) return 1
    loaded[operand] = 1
  } else if (target ~ /\)$/) {
    split("", loaded)
  }
  if (match(target, /%r[a-z0-9]+$/)) {
    target = substr(target, RSTART, RLENGTH)
    for (known in loaded) if (known ~ target "($|[,)])") delete loaded[known]
  }
  return 0
}

function finish_function(    i, region, pairs) {
  if (instructions == 0) return
  isa = isa_of(name)
  find_blocks()
  find_loops()
  split("", first)
  split("", fmas)
  split("", registers)
  split("", products)
  split("", sums)
  split("", loads)
  split("", vectors_on_stack)
  split("", scalars_on_stack)
  split("", again)
  for (i = 1; i <= instructions; ++i) {
    region = region_of[block_of[i]]
    if (region == 1) continue
    if (!arm && loads_again(text_of[i], i == 1 || block_of[i] != block_of[i - 1])) ++again[region]
    if (!(region in first)) first[region] = address[i]
    count_instruction(region, mnemonic_of[i], text_of[i])
  }
  for (region = 2; region <= regions; ++region) {
    pairs = products[region] < sums[region] ? products[region] : sums[region]
    fmas[region] += pairs
    if (fmas[region] < least) continue
    printf "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%d\t%d\t%d\n", object, isa, name, first[region],
      leaf[region] ? "inner" : "outer", fmas[region], registers[region], loads[region], vectors_on_stack[region],
      scalars_on_stack[region], again[region]
  }
}

function start_function(its_name) {
  name = its_name
  instructions = 0
  framed = 0
  split("", place)
}

BEGIN { FS = "\t" }

/file format/ { arm = /aarch64/ }

/^[0-9a-f]+ <.*>:$/ {
  finish_function()
  sub(/^[0-9a-f]+ </, "")
  sub(/>:$/, "")
  start_function($0)
  next
}

/^ *[0-9a-f]+:\t/ {
  i = ++instructions
  address[i] = $1
  gsub(/[ :]/, "", address[i])
  place[address[i]] = i
  text = $2
  if (NF > 2) text = text " " $3
  sub(/^(notrack|bnd|repz|rep|lock|cs|ds) +/, "", text)
  mnemonic = text
  sub(/ .*/, "", mnemonic)
  mnemonic_of[i] = mnemonic
  text_of[i] = text " "
  jump_to[i] = ""
  ends[i] = 0
  if (arm ? mnemonic ~ /^(b|b\..*|cbn?z|tbn?z)$/ : mnemonic ~ /^j/) {
    if (match(text, /[0-9a-f]+ </)) jump_to[i] = substr(text, RSTART, RLENGTH - 2)
    ends[i] = arm ? mnemonic == "b" : mnemonic ~ /^jmpq?$/
  } else {
    ends[i] = mnemonic ~ /^(ret|retq|br|ud2|hlt|brk|udf)$/
  }
  # Else the register is one like any other.
  if (arm ? text ~ /^(mov x29, sp|add x29, sp,)/ : text ~ /^mov +%rsp,%rbp$/) framed = 1
}

END { finish_function() }
