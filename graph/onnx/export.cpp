// From the graph to an ONNX file.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <iterator>
#include <optional>
#include <set>

#include "graph/element_numbers.hpp"
#include "graph/onnx/onnx.hpp"
#include "graph/onnx/proto.hpp"
#include "graph/onnx/read_graph.hpp"
#include "graph/onnx/standard_form.hpp"
#include "intact/error.hpp"
#include "intact/version.hpp"

namespace intact {
namespace {

void write_subgraph(const Graph& graph, std::span<const std::string> captured,
                    onnx::GraphProto& proto);

/// Writes a constant of the main graph; those of subgraphs and attributes stand in the encoding.
using WriteConstant =
    std::function<void(const Tensor&, const std::string& name, onnx::TensorProto&)>;

/// `captured`: names of the values around the node that its subgraphs read.
void write_attribute(const std::string& name, const Attribute& value,
                     std::span<const std::string> captured, onnx::AttributeProto& proto) {
  using Proto = onnx::AttributeProto;
  proto.set_name(name);
  struct Writer {
    Proto& proto;
    std::span<const std::string> captured;
    void operator()(std::int64_t number) const {
      proto.set_type(Proto::INT);
      proto.set_i(number);
    }
    void operator()(float number) const {
      proto.set_type(Proto::FLOAT);
      proto.set_f(number);
    }
    void operator()(const std::string& text) const {
      proto.set_type(Proto::STRING);
      proto.set_s(text);
    }
    void operator()(const Tensor& tensor) const {
      proto.set_type(Proto::TENSOR);
      tensor_to_proto(tensor, "", *proto.mutable_t());
    }
    void operator()(const std::vector<std::int64_t>& numbers) const {
      proto.set_type(Proto::INTS);
      for (const std::int64_t number : numbers) proto.add_ints(number);
    }
    void operator()(const std::vector<float>& numbers) const {
      proto.set_type(Proto::FLOATS);
      for (const float number : numbers) proto.add_floats(number);
    }
    void operator()(const std::vector<std::string>& texts) const {
      proto.set_type(Proto::STRINGS);
      for (const std::string& text : texts) proto.add_strings(text);
    }
    void operator()(const Subgraph& subgraph) const {
      proto.set_type(Proto::GRAPH);
      write_subgraph(*subgraph, captured, *proto.mutable_g());
    }
    void operator()(const OpaqueAttribute& attribute) const {
      if (!proto.ParseFromString(attribute.encoding))
        throw Error("an attribute '" + proto.name() + "' cannot be written");
    }
  };
  std::visit(Writer{proto, captured}, value);
}

void write_node(const Graph& graph, const Node& node, onnx::NodeProto& proto) {
  proto.set_op_type(node.op);
  proto.set_domain(node.domain);
  proto.set_name(node.name);
  const auto name_of = [&](ValueId id) { return id == no_value ? "" : graph.value(id).name; };
  std::vector<std::string> captured;
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    if (i < node.own_inputs())
      proto.add_input(name_of(node.inputs[i]));
    else
      captured.push_back(name_of(node.inputs[i]));
  for (const ValueId id : node.outputs) proto.add_output(name_of(id));
  for (const auto& [name, value] : node.attributes.all())
    write_attribute(name, value, captured, *proto.add_attribute());
}

void write_value(const Value& value, onnx::ValueInfoProto& proto) {
  proto.set_name(value.name);
  if (value.type == ElementType::undefined) return;
  onnx::TypeProto* whole = proto.mutable_type();
  if (value.is_optional) whole = whole->mutable_optional_type()->mutable_elem_type();
  if (value.is_sequence) whole = whole->mutable_sequence_type()->mutable_elem_type();
  auto& type = *whole->mutable_tensor_type();
  type.set_elem_type(element_number(value.type));
  if (!value.declared) return;
  auto& shape = *type.mutable_shape();
  for (const Dimension& dimension : *value.declared) {
    auto& extent = *shape.add_dim();
    if (dimension.value >= 0)
      extent.set_dim_value(dimension.value);
    else if (!dimension.symbol.empty())
      extent.set_dim_param(dimension.symbol);
  }
}

/// Of those that are read.
std::vector<ValueId> constants_of(const Graph& graph) {
  std::set<ValueId> used(graph.outputs.begin(), graph.outputs.end());
  for (const Node& node : graph.nodes) used.insert(node.inputs.begin(), node.inputs.end());
  std::vector<ValueId> constants;
  std::copy_if(used.begin(), used.end(), std::back_inserter(constants),
               [&](ValueId id) { return graph.is_constant(id); });
  return constants;
}

void write_graph(const Graph& graph, std::size_t own_inputs, const WriteConstant& write_constant,
                 onnx::GraphProto& proto) {
  proto.set_name(graph.name.empty() ? "graph" : graph.name);
  for (const Node& node : graph.nodes) write_node(graph, node, *proto.add_node());
  for (std::size_t i = 0; i < own_inputs; ++i)
    write_value(graph.value(graph.inputs[i]), *proto.add_input());
  for (const ValueId id : graph.outputs) write_value(graph.value(id), *proto.add_output());
  for (const ValueId id : constants_of(graph))
    write_constant(graph.value(id).constant, graph.value(id).name, *proto.add_initializer());
}

/// Captured values have the names of the graph around.
void write_subgraph(const Graph& graph, std::span<const std::string> captured,
                    onnx::GraphProto& proto) {
  Graph named = graph;
  const std::size_t own_inputs = named.inputs.size() - captured.size();
  for (std::size_t i = 0; i < captured.size(); ++i)
    named.value(named.inputs[own_inputs + i]).name = captured[i];
  write_graph(standard_form(std::move(named)), own_inputs, tensor_to_proto, proto);
}

/// The file format's version that belongs to an operator set.
int ir_version(int opset) {
  if (opset <= 14) return 7;
  if (opset <= 18) return 8;
  if (opset <= 20) return 9;
  if (opset <= 22) return 10;
  return opset <= 23 ? 11 : 12;
}

/// `graph` is in standard form.
onnx::ModelProto model_of(const Graph& graph, const WriteConstant& write_constant) {
  onnx::ModelProto model;
  std::set<std::string> domains = {""};
  for (const Node& node : graph.nodes) domains.insert(node.domain);
  for (const std::string& domain : domains) {
    auto& import = *model.add_opset_import();
    const auto known = graph.opsets.find(domain);
    import.set_domain(domain);
    import.set_version(known == graph.opsets.end() ? 1 : known->second);
    if (domain.empty()) model.set_ir_version(ir_version(static_cast<int>(import.version())));
  }
  model.set_producer_name("Intact");
  model.set_producer_version(version);
  for (const auto& [key, value] : graph.metadata) {
    auto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  write_graph(graph, graph.inputs.size(), write_constant, *model.mutable_graph());
  return model;
}

/// A file beside `path` that takes its name when it is complete, and else disappears.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& path) : target_(path) {
    for (int attempt = 0; descriptor_ < 0 && attempt < 100; ++attempt) {
      name_ = fmt::format("{}.{}-{}.tmp", path.string(), ::getpid(), attempt);
      descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ < 0 && errno != EEXIST) break;
    }
    if (descriptor_ < 0) fail();
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!renamed_) ::unlink(name_.c_str());
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail();
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  void commit() {
    if (::fsync(descriptor_) != 0) fail();
    if (::rename(name_.c_str(), target_.c_str()) != 0) fail();
    renamed_ = true;
  }

 private:
  [[noreturn]] void fail() const {
    const int reason = errno;
    if (descriptor_ >= 0) ::unlink(name_.c_str());
    throw Error(fmt::format("cannot write {}: {}", target_.string(), std::strerror(reason)));
  }

  std::filesystem::path target_;
  std::string name_;
  int descriptor_ = -1;
  bool renamed_ = false;
};

std::vector<std::byte> encoded(const onnx::ModelProto& model) {
  const std::size_t size = model.ByteSizeLong();
  constexpr std::size_t limit = 0x7fffffff;
  if (size > limit)
    throw Error(
        fmt::format("the model has {} bytes, but an ONNX file can have 2 GB at most", size));
  std::vector<std::byte> bytes(size);
  if (!model.SerializeToArray(bytes.data(), static_cast<int>(size)))
    throw Error("the model cannot be encoded as ONNX");
  return bytes;
}

/// A file of constants beside a model. Each begins at a page, so that readers can map it.
class ConstantsFile {
 public:
  explicit ConstantsFile(const std::filesystem::path& path)
      : name_(path.filename().string()), file_(path) {}

  void write(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto) {
    constexpr std::size_t smallest = 1024, page = 4096;
    if (tensor.bytes() < smallest || elements_per_byte(tensor.type()) != 1)
      return tensor_to_proto(tensor, name, proto);
    describe_tensor(tensor, name, proto);
    const std::vector<std::byte> padding((page - size_ % page) % page);
    file_.write(padding);
    size_ += padding.size();
    proto.set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] :
         {std::pair{"location", name_}, std::pair{"offset", std::to_string(size_)},
          std::pair{"length", std::to_string(tensor.bytes())}}) {
      auto& entry = *proto.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    }
    file_.write({static_cast<const std::byte*>(tensor.raw()), tensor.bytes()});
    size_ += tensor.bytes();
  }
  std::size_t commit() {
    file_.commit();
    return size_;
  }

 private:
  std::string name_;
  TemporaryFile file_;
  std::size_t size_ = 0;
};

std::size_t constant_bytes(const Graph& graph) {
  std::size_t bytes = 0;
  for (const ValueId id : constants_of(graph)) bytes += graph.value(id).constant.bytes();
  return bytes;
}

}  // namespace

std::vector<std::byte> serialize_onnx(const Graph& graph) {
  return encoded(model_of(standard_form(graph), tensor_to_proto));
}

std::size_t save_onnx(const Graph& graph, const std::filesystem::path& path,
                      std::size_t most_in_file) {
  const Graph standard = standard_form(graph);
  std::optional<ConstantsFile> constants;
  WriteConstant write_constant = tensor_to_proto;
  if (constant_bytes(standard) > most_in_file) {
    constants.emplace(path.string() + ".data");
    write_constant = [&](const Tensor& tensor, const std::string& name, onnx::TensorProto& proto) {
      constants->write(tensor, name, proto);
    };
  }
  const std::vector<std::byte> bytes = encoded(model_of(standard, write_constant));
  TemporaryFile file(path);
  file.write(bytes);
  const std::size_t beside = constants ? constants->commit() : 0;
  file.commit();
  return bytes.size() + beside;
}

Graph reread(const Graph& graph) {
  const Graph standard = standard_form(graph);
  LiftedData lifted;
  const onnx::ModelProto model = model_of(
      standard, [&](const Tensor& tensor, const std::string& name, onnx::TensorProto& proto) {
        if (elements_per_byte(tensor.type()) != 1 || tensor.bytes() == 0) {
          tensor_to_proto(tensor, name, proto);
          lifted.emplace_back();
          return;
        }
        describe_tensor(tensor, name, proto);
        lifted.emplace_back(std::span(static_cast<const std::byte*>(tensor.raw()), tensor.bytes()));
      });
  return read_model(model, lifted);
}

}  // namespace intact
