// What each instruction set implements of this family. Each function computes all of its arguments;
// elementwise.cpp cuts them into the shares of threads and puts them into the lists. Plain header.
#pragma once

#include "kernels/elementwise/elementwise.hpp"

namespace intact::kernels {

namespace avx512_vnni {
void byte_binary(const ByteBinaryArgs& args);
void byte_sum(const ByteSumArgs& args);
void affine(const AffineArgs& args);
void table_to_bytes(const TableArgs& args);
void table_to_floats(const TableArgs& args);
void word_table(const WordTableArgs& args);
void float_binary(const FloatBinaryArgs& args);
void float_unary(const FloatUnaryArgs& args);
}  // namespace avx512_vnni

namespace avx2 {
void byte_binary(const ByteBinaryArgs& args);
void byte_sum(const ByteSumArgs& args);
void affine(const AffineArgs& args);
void table_to_bytes(const TableArgs& args);
void table_to_floats(const TableArgs& args);
void word_table(const WordTableArgs& args);
void float_binary(const FloatBinaryArgs& args);
void float_unary(const FloatUnaryArgs& args);
}  // namespace avx2

/// The scalar definition. Divides its work by itself, so that it also checks the division.
namespace reference {
void byte_binary(const ByteBinaryArgs& args, Part part);
void byte_sum(const ByteSumArgs& args, Part part);
void affine(const AffineArgs& args, Part part);
void table_to_bytes(const TableArgs& args, Part part);
void table_to_floats(const TableArgs& args, Part part);
void word_table(const WordTableArgs& args, Part part);
void float_binary(const FloatBinaryArgs& args, Part part);
void float_unary(const FloatUnaryArgs& args, Part part);
}  // namespace reference

}  // namespace intact::kernels
