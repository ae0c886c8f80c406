// NumPy files: what is read must be what was written, and what is broken must be refused.
#include "tools/npy.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <cstring>

#include "intact/error.hpp"
#include "tests/cli/run_program.hpp"
#include "tools/values.hpp"

namespace intact::tools {
namespace {

std::string npy_bytes(const std::string& dictionary, const std::string& data, int version = 1) {
  std::string text = "\x93NUMPY";
  text += {static_cast<char>(version), '\0'};
  const std::size_t size = dictionary.size();
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) text += static_cast<char>(size >> 8 * i & 255);
  return text + dictionary + data;
}

Tensor parse(const std::string& text) {
  return parse_npy(std::as_bytes(std::span(text.data(), text.size())), "a.npy");
}

std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

TEST(Npy, reads_row_major_floats) {
  const Tensor tensor =
      parse(npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
                      bytes_of<float>({0, 1, 2, 3, 4, 5.5F})));
  EXPECT_EQ(tensor.type(), ElementType::f32);
  EXPECT_EQ(tensor.shape(), (Shape{2, 3}));
  EXPECT_EQ(tensor.data<float>()[5], 5.5F);
}

TEST(Npy, reads_column_major_order) {
  // Element (i, j) of the 2 x 3 array lies at i + 2 * j.
  const Tensor tensor =
      parse(npy_bytes("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }",
                      bytes_of<std::int32_t>({0, 10, 1, 11, 2, 12})));
  EXPECT_EQ(to_doubles(tensor), (std::vector<double>{0, 1, 2, 10, 11, 12}));
}

TEST(Npy, reads_column_major_order_of_three_extents) {
  std::vector<std::int16_t> values(24);
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k) {
        values[static_cast<std::size_t>(i + 2 * j + 6 * k)] =
            static_cast<std::int16_t>(100 * i + 10 * j + k);
      }
    }
  }
  const Tensor tensor = parse(
      npy_bytes("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3, 4), }", bytes_of(values)));
  EXPECT_EQ(value_at(tensor, 0), 0);
  EXPECT_EQ(value_at(tensor, 4), 10);
  EXPECT_EQ(value_at(tensor, 23), 123);
}

TEST(Npy, reads_big_endian) {
  const Tensor tensor = parse(npy_bytes("{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }",
                                        std::string("\0\0\1\2\xff\xff\xff\xfe", 8)));
  EXPECT_EQ(to_doubles(tensor), (std::vector<double>{258, -2}));
}

TEST(Npy, reads_every_numeric_type) {
  const std::pair<const char*, ElementType> types[] = {
      {"<f2", ElementType::f16}, {"<f4", ElementType::f32}, {"<f8", ElementType::f64},
      {"|u1", ElementType::u8},  {"|i1", ElementType::s8},  {"<u2", ElementType::u16},
      {"<i2", ElementType::s16}, {"<u4", ElementType::u32}, {"<i4", ElementType::s32},
      {"<u8", ElementType::u64}, {"<i8", ElementType::s64}, {"|b1", ElementType::boolean}};
  for (const auto& [code, type] : types) {
    const std::string header =
        std::string("{'descr': '") + code + "', 'fortran_order': False, 'shape': (3,)}";
    const Tensor tensor = parse(npy_bytes(header, std::string(3 * element_size(type), '\0')));
    EXPECT_EQ(tensor.type(), type) << code;
    EXPECT_EQ(value_at(tensor, 2), 0) << code;
  }
}

TEST(Npy, reads_half_precision_values) {
  const Tensor tensor = parse(npy_bytes("{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }",
                                        bytes_of<std::uint16_t>({0x3C00, 0xC100, 0x0001, 0x7C00})));
  EXPECT_EQ(value_at(tensor, 0), 1.0);
  EXPECT_EQ(value_at(tensor, 1), -2.5);
  EXPECT_EQ(value_at(tensor, 2), std::ldexp(1.0, -24));
  EXPECT_TRUE(std::isinf(value_at(tensor, 3)));
}

TEST(Npy, reads_formats_2_and_3_scalars_and_empty_arrays) {
  const std::string scalar = "{'descr': '<f8', 'fortran_order': False, 'shape': (), }";
  for (const int version : {1, 2, 3}) {
    const Tensor tensor = parse(npy_bytes(scalar, bytes_of<double>({2.5}), version));
    EXPECT_EQ(tensor.shape(), Shape{});
    EXPECT_EQ(value_at(tensor, 0), 2.5);
  }
  EXPECT_EQ(
      parse(npy_bytes("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 7), }", "")).size(),
      0);
}

TEST(Npy, refuses_what_is_broken) {
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  const std::string data(24, '\0');
  const auto refuses = [](const std::string& bytes, const std::string& part) {
    const std::string text = error_of(bytes);
    EXPECT_EQ(text.rfind("a.npy: ", 0), 0U) << text;
    EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' in: " << text;
  };
  refuses("", "not a .npy file");
  refuses("garbage, and more of it", "not a .npy file");
  refuses(npy_bytes(good, data).substr(0, 9), "truncated");
  refuses(npy_bytes(good, data).substr(0, 40), "truncated");
  refuses(npy_bytes(good, data.substr(1)), "truncated");
  refuses(npy_bytes(good, data + "x"), "1 bytes follow");
  refuses(npy_bytes(good, data, 9), "format 9");
  refuses(npy_bytes("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "12345678"),
          "pickled");
  refuses(npy_bytes("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "1234"),
          "structured");
  refuses(npy_bytes("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", data), "'<c8'");
  refuses(npy_bytes("{'descr': '<U3', 'fortran_order': False, 'shape': (1,), }", data), "'<U3'");
  refuses(npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", data), "extents");
  refuses(npy_bytes("{'descr': '<f4', 'shape': (2, 3), }", data), "fortran_order");
  refuses(npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", data), "')'");
  refuses(npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': "
                    "(4294967296, 4294967296, 16), }",
                    data),
          "shape");
  refuses(npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", data),
          "truncated");
}

TEST(Npy, writes_what_it_reads) {
  const TemporaryFolder folder;
  const std::vector<std::int64_t> values = {1, -2, 3};
  write_npy(folder / "a.npy", Tensor::from<std::int64_t>({3, 1}, values));
  const Tensor tensor = read_npy(folder / "a.npy");
  EXPECT_EQ(tensor.type(), ElementType::s64);
  EXPECT_EQ(tensor.shape(), (Shape{3, 1}));
  EXPECT_EQ(to_doubles(tensor), (std::vector<double>{1, -2, 3}));
  EXPECT_EQ(file_text(folder / "a.npy").size() % 64, 24U) << "data must begin at a multiple of 64";
}

struct ZipEntry {
  std::string name, data;
  bool deflated = false;
};

void append(std::string* out, std::uint64_t value, int size) {
  for (int i = 0; i < size; ++i) *out += static_cast<char>(value >> 8 * i & 255);
}

std::string deflate_text(const std::string& text) {
  std::string out(compressBound(text.size()) + 16, '\0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// `claimed` replaces the unpacked size in the directory.
std::string zip_bytes(const std::vector<ZipEntry>& entries, std::uint64_t claimed = 0) {
  std::string out, directory;
  for (const ZipEntry& entry : entries) {
    const std::string packed = entry.deflated ? deflate_text(entry.data) : entry.data;
    const std::uint64_t unpacked = claimed > 0 ? claimed : entry.data.size();
    std::string common;
    append(&common, 20, 2);
    append(&common, 0, 2);
    append(&common, entry.deflated ? 8 : 0, 2);
    append(&common, 0, 8);  // time, date, checksum
    append(&common, packed.size(), 4);
    append(&common, unpacked, 4);
    append(&common, entry.name.size(), 2);
    append(&common, 0, 2);
    append(&directory, 0x02014b50, 4);
    append(&directory, 20, 2);
    directory += common;
    append(&directory, 0, 10);  // comment, disk, attributes
    append(&directory, out.size(), 4);
    directory += entry.name;
    append(&out, 0x04034b50, 4);
    out += common + entry.name + packed;
  }
  const std::size_t begin = out.size();
  out += directory;
  append(&out, 0x06054b50, 4);
  append(&out, 0, 4);
  append(&out, entries.size(), 2);
  append(&out, entries.size(), 2);
  append(&out, directory.size(), 4);
  append(&out, begin, 4);
  append(&out, 0, 2);
  return out;
}

TEST(Npz, reads_stored_and_deflated_entries) {
  const TemporaryFolder folder;
  const std::string a = npy_bytes("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }",
                                  bytes_of<std::int32_t>({7, 8}));
  const std::string b = npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (1000,), }",
                                  bytes_of(std::vector<float>(1000, 0.5F)));
  write_file(folder / "x.npz", zip_bytes({{"first.npy", a, false}, {"second.npy", b, true}}));
  const NamedArrays arrays = read_npz(folder / "x.npz");
  ASSERT_EQ(arrays.size(), 2U);
  EXPECT_EQ(arrays[0].first, "first");
  EXPECT_EQ(to_doubles(arrays[0].second), (std::vector<double>{7, 8}));
  EXPECT_EQ(arrays[1].first, "second");
  EXPECT_EQ(value_at(arrays[1].second, 999), 0.5);
}

TEST(Npz, refuses_what_is_broken) {
  const TemporaryFolder folder;
  const std::string a = npy_bytes("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }",
                                  bytes_of<std::int32_t>({7, 8}));
  const auto refuses = [&](const std::string& bytes, const std::string& part) {
    write_file(folder / "x.npz", bytes);
    try {
      read_npz(folder / "x.npz");
      ADD_FAILURE() << "read although: " << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  const std::string good = zip_bytes({{"a.npy", a, true}});
  refuses("", "not a .npz file");
  refuses(good.substr(0, good.size() - 30), "not a .npz file");
  refuses(good.substr(20), "");
  refuses(zip_bytes({{"a.npy", a, true}}, 4000000000), "impossible size");
  refuses(zip_bytes({{"a.npy", a, true}}, a.size() + 10), "damaged");
  refuses(zip_bytes({}), "no array");
}

/// Two names of one entry.
TEST(Npz, refuses_entries_that_overlap) {
  const std::string array =
      npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (1000,), }",
                bytes_of(std::vector<float>(1000, 0.5F)));
  std::string zip = zip_bytes({{"a.npy", array, false}});
  const std::size_t begin = zip.find("PK\x01\x02"), end = zip.find("PK\x05\x06");
  zip.insert(end, zip.substr(begin, end - begin));
  zip[zip.size() - 12] = 2;  // entries
  try {
    parse_npz(std::as_bytes(std::span(zip)), "x.npz");
    ADD_FAILURE() << "read";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "x.npz: the entries of the .npz file overlap");
  }
}

}  // namespace
}  // namespace intact::tools
