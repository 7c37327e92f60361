# SPDX-License-Identifier: MIT
# cmake -DOUTPUT=FILE.c -DFOLDER=FOLDER -DNAMES=A,B -P embed.cmake
#
# Writes the C source of embedded.h's table, each of these guests of the folder
# as an array of bytes.
set(arrays "")
set(rows "")
string(REPLACE "," ";" NAMES "${NAMES}")
foreach(name IN LISTS NAMES)
  string(MAKE_C_IDENTIFIER ${name} symbol)
  file(READ ${FOLDER}/${name} bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes
         "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays
         "static const unsigned char ${symbol}[] = {\n${bytes}\n};\n\n")
  string(APPEND rows "    { \"${name}\", ${symbol}, sizeof ${symbol} },\n")
endforeach()
file(WRITE ${OUTPUT}
     "/* Made by embed.cmake. */\n#include \"embedded.h\"\n\n${arrays}"
     "const struct embedded_guest embedded_guests[] = {\n${rows}};\n\n"
     "const size_t embedded_guest_count =\n"
     "    sizeof embedded_guests / sizeof *embedded_guests;\n")
