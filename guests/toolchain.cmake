# SPDX-License-Identifier: MIT
# Find a C compiler and a linker that make 32-bit x86 ELF programs without a
# C library, on whatever host this is. Result: UMBRA_GUEST_CC,
# UMBRA_GUEST_TARGET (its target flags), UMBRA_GUEST_LD.
#
# To choose another:  cmake -DUMBRA_GUEST_CC=/path/to/cc -DUMBRA_GUEST_LD=...

set(GUEST_CPU_FLAGS -march=i686 -mgeneral-regs-only)

# Does `compiler` with these flags make 32-bit x86 code?
function(guest_try_compiler compiler flags result)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/try.c)
  file(WRITE ${source}
       "__asm__(\"popal\"); typedef char word[sizeof(void *) == 4 ? 1 : -1];\n")
  file(REMOVE ${source}.o)
  execute_process(
    COMMAND ${compiler} ${flags} ${GUEST_CPU_FLAGS} -ffreestanding
            -c ${source} -o ${source}.o
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
  if(status EQUAL 0 AND EXISTS ${source}.o)
    set(${result} TRUE PARENT_SCOPE)
  else()
    set(${result} FALSE PARENT_SCOPE)
  endif()
endfunction()

# The first that works, in this order: clang for any host, the host's gcc if
# it knows -m32, a cross gcc.
function(guest_find_compiler)
  if(UMBRA_GUEST_CC)
    set(candidates ${UMBRA_GUEST_CC})
  else()
    set(candidates clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14
                   gcc i686-linux-gnu-gcc i686-elf-gcc)
  endif()
  foreach(name IN LISTS candidates)
    find_program(path ${name} NO_CACHE)
    if(NOT path)
      continue()
    endif()
    foreach(flags "--target=i686-elf" "-m32")
      guest_try_compiler(${path} ${flags} works)
      if(works)
        set(UMBRA_GUEST_CC ${path} CACHE FILEPATH "C compiler for i386 guests"
            FORCE)
        set(UMBRA_GUEST_TARGET ${flags} PARENT_SCOPE)
        return()
      endif()
    endforeach()
    unset(path)
  endforeach()
  message(FATAL_ERROR
    "No compiler for the 32-bit x86 guests. Install the packages 'clang' and "
    "'lld' (any host), or 'gcc-i686-linux-gnu', or set UMBRA_GUEST_CC.")
endfunction()

function(guest_find_linker)
  set(script ${CMAKE_CURRENT_BINARY_DIR}/try.ld)
  file(WRITE ${script} "SECTIONS { .text : { *(.text*) } }\n")
  if(UMBRA_GUEST_LD)
    set(candidates ${UMBRA_GUEST_LD})
  else()
    set(candidates ld.lld ld.lld-19 ld.lld-18 ld.lld-17 ld.lld-16 ld.lld-15
                   ld.lld-14 ld i686-linux-gnu-ld i686-elf-ld)
  endif()
  foreach(name IN LISTS candidates)
    find_program(path ${name} NO_CACHE)
    if(NOT path)
      continue()
    endif()
    execute_process(
      COMMAND ${path} -m elf_i386 -T ${script} -e 0
              ${CMAKE_CURRENT_BINARY_DIR}/try.c.o
              -o ${CMAKE_CURRENT_BINARY_DIR}/try.elf
      RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
    if(status EQUAL 0)
      set(UMBRA_GUEST_LD ${path} CACHE FILEPATH "Linker for i386 guests" FORCE)
      return()
    endif()
    unset(path)
  endforeach()
  message(FATAL_ERROR
    "No linker for the 32-bit x86 guests. Install the package 'lld' (any "
    "host) or 'binutils-i686-linux-gnu', or set UMBRA_GUEST_LD.")
endfunction()

guest_find_compiler()
guest_find_linker()
message(STATUS "Guest compiler: ${UMBRA_GUEST_CC} ${UMBRA_GUEST_TARGET}, "
               "linker ${UMBRA_GUEST_LD}")
