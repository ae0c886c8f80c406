// Einsum in standard operators: every form against its definition.
#include "tests/graph/canonical.hpp"
#include "tests/graph/file_op.hpp"

namespace intact {
namespace {

using namespace intact::testing;

struct Form {
  const char* equation;
  Shape a, b;  ///< b: empty without a second operand
  bool has_b = true;
};

Tensor defined(const Form& form) {
  std::vector<Tensor> operands = {random_floats(form.a, 3)};
  if (form.has_b) operands.push_back(random_floats(form.b, 4));
  return Op("Einsum").with("equation", form.equation).all(operands)[0];
}

/// The graph that the importer makes of the operator; one of the operands may be constant.
Graph imported(const Form& form, int constant = -1) {
  ModelBuilder model(17);
  std::vector<ValueId> operands;
  for (int i = 0; i < (form.has_b ? 2 : 1); ++i) {
    const Shape& shape = i == 0 ? form.a : form.b;
    const std::string name = i == 0 ? "a" : "b";
    operands.push_back(i == constant
                           ? model.constant(name, random_floats(shape, 3 + unsigned(i)))
                           : model.input(name, ElementType::f32, Shape(shape.size(), -1)));
  }
  return model.build(
      {model.node("Einsum", "n", operands, {{"equation", std::string(form.equation)}})});
}

void expect_expanded(const Form& form) {
  SCOPED_TRACE(form.equation);
  const Tensor wanted = defined(form);
  for (const int constant : {-1, 0, 1}) {
    if (constant == 1 && !form.has_b) continue;
    const Graph graph = imported(form, constant);
    EXPECT_EQ(operators(graph).find("Einsum"), std::string::npos);
    std::vector<Tensor> inputs;
    if (constant != 0) inputs.push_back(random_floats(form.a, 3));
    if (form.has_b && constant != 1) inputs.push_back(random_floats(form.b, 4));
    expect_close({wanted}, interpret(graph, inputs), 1e-5);
    expect_close({wanted}, interpret(canonical(graph), inputs), 1e-5);
  }
}

TEST(ExpandEinsum, Products) {
  const Form forms[] = {
      {"bhqd,bhkd->bhqk", {2, 3, 4, 5}, {2, 3, 6, 5}},
      {"bqhd,bkhd->bhqk", {2, 4, 3, 5}, {2, 6, 3, 5}},
      {"bhqk,bkhd->bqhd", {2, 3, 4, 6}, {2, 6, 3, 5}},
      {"ij,jk->ik", {3, 4}, {4, 5}},
      {"ij,jk", {3, 4}, {4, 5}},
      {"ij,jk->ki", {3, 4}, {4, 5}},
      {"bld,dhe->blhe", {2, 3, 4}, {4, 5, 6}},
      {"blhe,hed->bld", {2, 3, 4, 5}, {4, 5, 6}},
      {"blhe,hed->dbl", {2, 3, 4, 5}, {4, 5, 6}},
      {"blhe,hemn->blmn", {2, 3, 4, 5}, {4, 5, 6, 7}},
      {"nchw,oc->nohw", {2, 3, 4, 5}, {6, 3}},
      {"oc,nchw->nohw", {6, 3}, {2, 3, 4, 5}},
      {"b...i,ij->b...j", {2, 3, 4, 5}, {5, 6}},
      {"...ij,...jk->...ik", {2, 1, 3, 4}, {5, 4, 6}},
      {"i,i->", {5}, {5}},
      {"i,ij->j", {5}, {5, 4}},
      {"ij,j->i", {3, 5}, {5}},
      {"bi,bi->b", {3, 5}, {3, 5}},
      {"bcxd,bcyd->bcxy", {1, 2, 3, 4}, {1, 2, 5, 4}},
      {"bmxk,bnyk->bmnxy", {2, 3, 4, 5}, {2, 6, 7, 5}},
      {"bmxk,bnyk->byxnm", {2, 3, 4, 5}, {2, 6, 7, 5}},
      {"abk,cdk->acbd", {2, 3, 5}, {4, 6, 5}},
      {"bkc,kv->bvc", {2, 3, 4}, {3, 5}},
      {"aij,bjk->ik", {2, 3, 4}, {5, 4, 6}},  // a and b are summed before
      {"bik,bkl->bil", {0, 3, 4}, {0, 4, 5}},
      {"blhe,hed->bld", {0, 3, 4, 5}, {4, 5, 6}},
  };
  for (const Form& form : forms) expect_expanded(form);
}

TEST(ExpandEinsum, ElementwiseProducts) {
  for (const Form& form : {Form{"i,j->ij", {3}, {4}}, Form{"bchw,bc->bchw", {2, 3, 4, 5}, {2, 3}},
                           Form{"ij,ij->ji", {3, 4}, {3, 4}}, Form{",ij->ij", {}, {3, 4}},
                           Form{"bi,bj->bji", {2, 3}, {2, 4}}})
    expect_expanded(form);
}

TEST(ExpandEinsum, OneOperand) {
  for (const Form& form : {Form{"ij->ji", {3, 4}, {}, false}, Form{"ij->ij", {3, 4}, {}, false},
                           Form{"bij->jb", {2, 3, 4}, {}, false}, Form{"ij->", {3, 4}, {}, false},
                           Form{"...ij->...ji", {2, 3, 4}, {}, false}})
    expect_expanded(form);
}

TEST(ExpandEinsum, WeightsAreTheSecondOperand) {
  const Graph linear = canonical(imported({"oc,nchw->nohw", {6, 3}, {2, 3, 4, 5}}, 0));
  EXPECT_EQ(operators(linear), "Transpose MatMul Transpose");
  const Graph heads = canonical(imported({"bld,dhe->blhe", {2, 3, 4}, {4, 5, 6}}, 1));
  EXPECT_EQ(operators(heads), "MatMul Reshape");
  EXPECT_EQ(heads.value(heads.nodes[0].inputs[1]).constant.shape(), (Shape{4, 30}));
}

TEST(ExpandEinsum, OtherEquationsStay) {
  const auto stays = [](const Form& form) { return operators(imported(form)) == "Einsum"; };
  EXPECT_TRUE(stays({"ii->i", {3, 3}, {}, false}));
  EXPECT_TRUE(stays({"bii,bj->bj", {2, 3, 3}, {2, 4}}));
  EXPECT_TRUE(stays({"...i,...i->i", {2, 3}, {2, 3}}));
}

TEST(ExpandEinsum, WrongEquationsAreRefused) {
  EXPECT_THROW(imported({"ij->ij", {3, 4}, {4, 5}}), Error);
  EXPECT_THROW(imported({"i?,jk->ik", {3, 4}, {4, 5}}), Error);
}

}  // namespace
}  // namespace intact
