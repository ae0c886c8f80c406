// Sources of samples; see samples.hpp.
#include "tools/samples.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "intact/error.hpp"
#include "tools/files.hpp"
#include "tools/npy.hpp"

namespace intact::tools {
namespace {

namespace fs = std::filesystem;

class ImageSource : public SampleSource {
 public:
  ImageSource(std::vector<fs::path> files, TensorInfo input, Preprocess preprocess)
      : files_(std::move(files)),
        input_(std::move(input)),
        preprocess_(std::move(preprocess)),
        channels_(image_channels(input_, preprocess_)) {}

  int count() const override { return static_cast<int>(files_.size()); }
  std::optional<Sample> next() override {
    if (position_ == files_.size()) return std::nullopt;
    const fs::path& file = files_[position_++];
    return Sample{file.filename().string(),
                  {image_to_tensor(read_image(file, channels_), input_, preprocess_)}};
  }

 private:
  std::vector<fs::path> files_;
  TensorInfo input_;
  Preprocess preprocess_;
  int channels_;
  std::size_t position_ = 0;
};

/// Arrays that belong together: one per input, each with samples along its first axis.
struct ArraySet {
  fs::path npz;                 ///< either this file
  std::vector<fs::path> files;  ///< or one .npy file per input
};

std::vector<Tensor> load_arrays(const ArraySet& set, const std::vector<TensorInfo>& inputs) {
  std::vector<Tensor> arrays;
  if (set.npz.empty()) {
    for (const fs::path& file : set.files) arrays.push_back(read_npy(file));
    return arrays;
  }
  const NamedArrays named = read_npz(set.npz);
  if (inputs.size() == 1 && named.size() == 1) return {named[0].second};
  for (const TensorInfo& input : inputs) {
    const auto found = std::find_if(named.begin(), named.end(),
                                    [&](const auto& entry) { return entry.first == input.name; });
    if (found == named.end()) {
      std::vector<std::string> names;
      for (const auto& entry : named) names.push_back(entry.first);
      throw Error(fmt::format("{}: holds no array for input '{}', only '{}'", set.npz.string(),
                              input.name, fmt::join(names, "', '")));
    }
    arrays.push_back(found->second);
  }
  return arrays;
}

/// Extent of one sample along the first axis; 0 when the array as a whole is one sample.
std::int64_t rows_per_sample(const TensorInfo& input, const Tensor& array) {
  const int rank = static_cast<int>(input.shape.size());
  if (!input.rank_known || array.rank() == 0 || array.rank() + 1 == rank) return 0;
  if (array.rank() == rank + 1) return 1;
  if (array.rank() != rank) {
    throw Error(fmt::format("an array {} does not fit input '{}' {}", to_string(array.shape()),
                            input.name, to_string(input.shape)));
  }
  return input.shape[0] > 0 ? input.shape[0] : 1;
}

Tensor copy_rows(const Tensor& array, std::int64_t first, std::int64_t rows, Shape shape) {
  Tensor part(array.type(), std::move(shape));
  const std::size_t row = array.bytes() / static_cast<std::size_t>(array.shape()[0]);
  std::memcpy(part.raw(),
              static_cast<const std::byte*>(array.raw()) + static_cast<std::size_t>(first) * row,
              static_cast<std::size_t>(rows) * row);
  return part;
}

/// The arrays of one set, cut into samples. An array of one sample serves all samples of the
/// others.
class SetReader {
 public:
  SetReader(std::vector<Tensor> arrays, const std::vector<TensorInfo>& inputs)
      : arrays_(std::move(arrays)), inputs_(inputs) {
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      const std::int64_t rows = rows_per_sample(inputs_[i], arrays_[i]);
      const std::int64_t extent = rows == 0 ? 1 : arrays_[i].shape()[0];
      if (rows > 0 && extent % rows != 0) {
        throw Error(fmt::format("an array {} for input '{}' {} does not hold whole samples",
                                to_string(arrays_[i].shape()), inputs_[i].name,
                                to_string(inputs_[i].shape)));
      }
      const std::int64_t samples = rows == 0 ? 1 : extent / rows;
      if (count_ != 1 && samples != 1 && samples != count_) {
        throw Error(fmt::format("the array for input '{}' holds {} samples, others hold {}",
                                inputs_[i].name, samples, count_));
      }
      count_ = count_ == 1 ? samples : count_;
      rows_.push_back(rows);
    }
  }

  std::int64_t count() const { return count_; }
  std::vector<Tensor> get(std::int64_t index) const {
    std::vector<Tensor> sample;
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      const Tensor& array = arrays_[i];
      Shape shape = array.shape();
      const int rank = static_cast<int>(inputs_[i].shape.size());
      if (rows_[i] == 0) {
        if (inputs_[i].rank_known && array.rank() + 1 == rank) shape.insert(shape.begin(), 1);
        sample.push_back(array.reshaped(shape));
        continue;
      }
      const bool alone = shape[0] == rows_[i];
      shape[0] = rows_[i];
      if (array.rank() == rank + 1) shape.erase(shape.begin());
      sample.push_back(copy_rows(array, alone ? 0 : index * rows_[i], rows_[i], std::move(shape)));
    }
    return sample;
  }

 private:
  std::vector<Tensor> arrays_;
  const std::vector<TensorInfo>& inputs_;
  std::vector<std::int64_t> rows_;
  std::int64_t count_ = 1;
};

class ArraySource : public SampleSource {
 public:
  ArraySource(std::vector<ArraySet> sets, std::vector<TensorInfo> inputs)
      : sets_(std::move(sets)), inputs_(std::move(inputs)) {
    // A single set is kept; of several only one at a time is in memory.
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      open(i);
      count_ += reader_->count();
    }
    if (sets_.size() > 1) open(0);
  }

  int count() const override { return static_cast<int>(count_); }
  std::optional<Sample> next() override {
    while (position_ == reader_->count()) {
      if (set_ + 1 == sets_.size()) return std::nullopt;
      open(set_ + 1);
    }
    return Sample{"", reader_->get(position_++)};
  }

 private:
  void open(std::size_t set) {
    set_ = set;
    position_ = 0;
    reader_.reset();  // before the next set takes memory
    reader_ = std::make_unique<SetReader>(load_arrays(sets_[set], inputs_), inputs_);
  }

  std::vector<ArraySet> sets_;
  std::vector<TensorInfo> inputs_;
  std::unique_ptr<SetReader> reader_;
  std::size_t set_ = 0;
  std::int64_t position_ = 0, count_ = 0;
};

class RandomSource : public SampleSource {
 public:
  RandomSource(int count, std::vector<TensorInfo> inputs, std::vector<Shape> shapes,
               std::uint64_t seed)
      : count_(count), inputs_(std::move(inputs)), shapes_(std::move(shapes)), generator_(seed) {}

  int count() const override { return count_; }
  std::optional<Sample> next() override {
    if (position_ == count_) return std::nullopt;
    ++position_;
    Sample sample;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      sample.inputs.push_back(random_tensor(inputs_[i].type, shapes_[i], generator_));
    }
    return sample;
  }

 private:
  int count_, position_ = 0;
  std::vector<TensorInfo> inputs_;
  std::vector<Shape> shapes_;
  std::mt19937_64 generator_;
};

/// The set in a folder that holds NAME.npy for each input.
std::optional<ArraySet> named_files(const fs::path& folder, const std::vector<TensorInfo>& inputs) {
  ArraySet set;
  for (const TensorInfo& input : inputs) {
    const fs::path file = folder / (input.name + ".npy");
    // A name with a slash must not lead out of the folder.
    if (file.parent_path() != folder || !fs::is_regular_file(file)) return std::nullopt;
    set.files.push_back(file);
  }
  return set;
}

std::vector<ArraySet> array_sets(const fs::path& path, const std::vector<TensorInfo>& inputs) {
  const std::string extension = lower_extension(path);
  if (extension == ".npz") return {ArraySet{path, {}}};
  if (extension == ".npy") {
    if (inputs.size() == 1) return {ArraySet{{}, {path}}};
    throw Error(
        fmt::format("{}: the model has {} inputs; a folder with NAME.npy for each, or a .npz "
                    "file, is expected",
                    path.string(), inputs.size()));
  }
  if (!fs::is_directory(path)) return {};
  if (auto set = named_files(path, inputs)) return {*set};
  std::vector<ArraySet> sets;
  for (const fs::path& file : files_in(path, {".npz"})) sets.push_back(ArraySet{file, {}});
  if (inputs.size() == 1) {
    for (const fs::path& file : files_in(path, {".npy"})) sets.push_back(ArraySet{{}, {file}});
  }
  if (!sets.empty()) return sets;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  for (const fs::path& folder : folders) {
    if (auto set = named_files(folder, inputs)) sets.push_back(*set);
  }
  return sets;
}

}  // namespace

std::unique_ptr<SampleSource> open_samples(const fs::path& path,
                                           const std::vector<TensorInfo>& inputs,
                                           const Preprocess& preprocess) {
  if (!fs::exists(path)) throw Error(fmt::format("{}: no such file or folder", path.string()));
  auto sets = array_sets(path, inputs);
  if (!sets.empty()) return std::make_unique<ArraySource>(std::move(sets), inputs);
  const bool images = fs::is_directory(path) || is_image_file(path);
  if (images && inputs.size() == 1) {
    if (!fs::is_directory(path) || std::any_of(fs::directory_iterator(path), {}, [](const auto& e) {
          return is_image_file(e.path());
        })) {
      return std::make_unique<ImageSource>(list_images(path), inputs[0], preprocess);
    }
  }
  std::vector<std::string> names;
  for (const TensorInfo& input : inputs) names.push_back(input.name + ".npy");
  throw Error(
      fmt::format("{}: no samples here; images or .npy files (models with one input), .npz "
                  "files, or folders with {} are expected",
                  path.string(), fmt::join(names, ", ")));
}

CalibrationData calibration_data(std::function<std::unique_ptr<SampleSource>()> open) {
  return [open = std::move(open)]() -> CalibrationSource {
    return [samples = std::shared_ptr(open())]() -> std::optional<std::vector<Tensor>> {
      auto sample = samples->next();
      if (!sample) return std::nullopt;
      return std::move(sample->inputs);
    };
  };
}

std::unique_ptr<SampleSource> random_samples(int count, const std::vector<TensorInfo>& inputs,
                                             const std::vector<Shape>& shapes, std::uint64_t seed) {
  return std::make_unique<RandomSource>(count, inputs, shapes, seed);
}

Tensor random_tensor(ElementType type, const Shape& shape, std::mt19937_64& generator) {
  Tensor tensor(type, shape);
  const auto fill = [&]<class T>(T, auto&& value) {
    for (T& element : tensor.data<T>()) element = static_cast<T>(value(generator()));
  };
  const auto real = [](std::uint64_t bits) { return static_cast<float>(bits >> 40) * 0x1p-24F; };
  const auto byte = [](std::uint64_t bits) { return bits >> 56; };
  const auto small = [](std::uint64_t bits) { return (bits >> 32) % 10; };
  switch (type) {
    case ElementType::f32:
      fill(float{}, real);
      break;
    case ElementType::f64:
      fill(double{}, real);
      break;
    case ElementType::u8:
      fill(std::uint8_t{}, byte);
      break;
    case ElementType::s8:
      fill(std::int8_t{}, byte);
      break;
    case ElementType::u16:
      fill(std::uint16_t{}, small);
      break;
    case ElementType::s16:
      fill(std::int16_t{}, small);
      break;
    case ElementType::u32:
      fill(std::uint32_t{}, small);
      break;
    case ElementType::s32:
      fill(std::int32_t{}, small);
      break;
    case ElementType::u64:
      fill(std::uint64_t{}, small);
      break;
    case ElementType::s64:
      fill(std::int64_t{}, small);
      break;
    case ElementType::boolean:
      fill(bool{}, [](std::uint64_t bits) { return bits >> 63; });
      break;
    default:
      throw Unsupported(
          fmt::format("random numbers of type {} are not supported; give the input as a "
                      ".npy file",
                      element_name(type)));
  }
  return tensor;
}

}  // namespace intact::tools
