# SPDX-License-Identifier: MIT
# cmake -DOUTPUT=FILE.c -DFOLDER=FOLDER -DFILES=A;B;... -P embed.cmake
#
# Writes the C source of catalogue.h's table of files, each, named from FOLDER,
# as an array of bytes.
set(arrays "")
set(rows "")
foreach(name IN LISTS FILES)
  string(MAKE_C_IDENTIFIER "file_${name}" symbol)
  file(READ ${FOLDER}/${name} bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes
         "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays
         "static const unsigned char ${symbol}[] = {\n${bytes}\n};\n\n")
  string(APPEND rows "    {\"${name}\", ${symbol}, sizeof ${symbol}},\n")
endforeach()
file(WRITE ${OUTPUT}
     "/* Made by embed.cmake. */\n#include \"labs/catalogue.h\"\n\n${arrays}"
     "const struct lab_file lab_files[] = {\n${rows}};\n\n"
     "const size_t lab_file_count = sizeof lab_files / sizeof lab_files[0];\n")
