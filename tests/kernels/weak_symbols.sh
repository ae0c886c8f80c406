#!/bin/sh
# Objects compiled for one instruction set must not define weak symbols: the linker may pick such a
# definition of an inline function for the whole program, which then fails on older processors.
# Exits 1 and names them if there are any.
# usage: weak_symbols.sh NM FOLDER   (FOLDER: the object files of the kernels layer)
nm=$1
folder=$2
checked=0
failed=0
for object in $(find "$folder" -name 'avx*.o' -o -name 'amx*.o'); do
  checked=$((checked + 1))
  # DW.ref.*: a pointer to the exception handling routine, the same in every object, no code.
  weak=$("$nm" --defined-only "$object" | grep ' [WVu] ' | grep -v ' V DW\.ref\.')
  if [ -n "$weak" ]; then
    echo "$object defines weak symbols:"
    echo "$weak"
    failed=1
  fi
done
if [ "$checked" -eq 0 ]; then
  echo "no objects of instruction sets under $folder"
  exit 1
fi
echo "$checked objects checked"
exit $failed
