// Editors and the parser know the same keys.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "topologies/engine/format/keys.h"

namespace heddle::format {
namespace {

namespace json = boost::json;

const json::value& schema() {
  static const json::value parsed = [] {
    std::ifstream file("topologies/schema/lab.schema.json");  // tests run in the source tree
    std::stringstream text;
    text << file.rdbuf();
    boost::system::error_code ec;
    return json::parse(text.str(), ec);
  }();
  return parsed;
}

std::set<std::string> properties_at(const std::string& pointer) {
  std::set<std::string> out;
  boost::system::error_code ec;
  const json::value* found = schema().find_pointer(pointer + "/properties", ec);
  if (!found) return out;
  for (const auto& member : found->as_object()) out.insert(std::string(member.key()));
  return out;
}

template <class Keys>
std::set<std::string> set_of(const Keys& keys) {
  return {keys.begin(), keys.end()};
}

TEST(Schema, HasTheParsersKeys) {
  EXPECT_EQ(properties_at(""), set_of(keys::kLab));
  EXPECT_EQ(properties_at("/properties/topology"), set_of(keys::kTopology));
  EXPECT_EQ(properties_at("/$defs/node"), set_of(keys::kNode));
  EXPECT_EQ(properties_at("/$defs/link"), set_of(keys::kLink));
  EXPECT_EQ(properties_at("/$defs/linkEnd/oneOf/1"), set_of(keys::kLinkEnd));
  EXPECT_EQ(properties_at("/$defs/underlay"), set_of(keys::kUnderlay));
  EXPECT_EQ(properties_at("/$defs/host"), set_of(keys::kHost));
  EXPECT_EQ(properties_at("/$defs/impair"), set_of(keys::kImpair));
  EXPECT_EQ(properties_at("/$defs/impairWay"), set_of(keys::kImpairWay));
  EXPECT_EQ(properties_at("/$defs/impairWay/properties/loss/oneOf/1"), set_of(keys::kLoss));
  EXPECT_EQ(properties_at("/$defs/mgmt"), set_of(keys::kMgmt));
  EXPECT_EQ(properties_at("/$defs/dns"), set_of(keys::kDns));
  EXPECT_EQ(properties_at("/$defs/healthcheck"), set_of(keys::kHealthcheck));
  EXPECT_EQ(properties_at("/$defs/stages"), set_of(keys::kStages));
  EXPECT_EQ(properties_at("/$defs/stage"), set_of(keys::kStage));
  EXPECT_EQ(properties_at("/$defs/stageWait"), set_of(keys::kStageWait));
  EXPECT_EQ(properties_at("/$defs/stageExec"), set_of(keys::kStageExec));
  EXPECT_EQ(properties_at("/$defs/singleLink"), set_of(keys::kSingleLink));
  EXPECT_EQ(properties_at("/$defs/overlay"), set_of(keys::kOverlay));
  EXPECT_EQ(properties_at("/$defs/ipam"), set_of(keys::kIpam));
  EXPECT_EQ(properties_at("/$defs/ipamConfig"), set_of(keys::kIpamConfig));
  EXPECT_EQ(properties_at("/$defs/service"), set_of(keys::kService));
  EXPECT_EQ(properties_at("/$defs/service/properties/deploy"), set_of(keys::kDeploy));
  EXPECT_EQ(properties_at("/$defs/serviceNetwork"), set_of(keys::kServiceNetwork));
  EXPECT_EQ(properties_at("/$defs/serviceCheck"), set_of(keys::kServiceCheck));
  EXPECT_EQ(properties_at("/$defs/step"), set_of(keys::kStep));
  EXPECT_EQ(properties_at("/$defs/expect"), set_of(keys::kExpect));
  EXPECT_EQ(properties_at("/$defs/textClaim/oneOf/2"), set_of(keys::kText));
  EXPECT_EQ(properties_at("/$defs/jsonClaim/oneOf/1"), set_of(keys::kJson));
}

TEST(Schema, HasTheKeysOfFaultsAndChecks) {
  EXPECT_EQ(properties_at("/$defs/fault"), set_of(keys::kFault));
  EXPECT_EQ(properties_at("/$defs/target/oneOf/2"), set_of(keys::kTarget));
  EXPECT_EQ(properties_at("/$defs/partition/oneOf/2"), set_of(keys::kOneWay));
  EXPECT_EQ(properties_at("/$defs/faultClock"), set_of(keys::kClock));
  EXPECT_EQ(properties_at("/$defs/check"), set_of(keys::kCheck));
  EXPECT_EQ(properties_at("/$defs/check/properties/ping/oneOf/1"), set_of(keys::kPing));
  EXPECT_EQ(properties_at("/$defs/check/properties/http/oneOf/1"), set_of(keys::kHttp));
  EXPECT_EQ(properties_at("/$defs/check/properties/tcp/oneOf/1"), set_of(keys::kTcp));
  EXPECT_EQ(properties_at("/$defs/check/properties/dns/oneOf/1"), set_of(keys::kDnsProbe));
  EXPECT_EQ(properties_at("/$defs/check/properties/throughput"), set_of(keys::kThroughput));
  EXPECT_EQ(properties_at("/$defs/fidelity"), set_of(keys::kFidelity));
  auto impair = properties_at("/$defs/impair");
  impair.insert("link");
  EXPECT_EQ(properties_at("/$defs/faultImpair"), impair);
}

std::set<std::string> choices_of(const std::string& definition) {
  std::set<std::string> out;
  boost::system::error_code ec;
  const json::value* choices = schema().find_pointer("/$defs/" + definition + "/oneOf", ec);
  if (!choices) return out;
  for (const json::value& choice : choices->as_array())
    out.insert(std::string(choice.at("required").at(0).as_string()));
  return out;
}

TEST(Schema, OneOfTheParsersActionsIsNeeded) {
  EXPECT_EQ(choices_of("step"), set_of(keys::kStepActions));
  EXPECT_EQ(choices_of("fault"), set_of(keys::kFaultActions));
  EXPECT_EQ(choices_of("check"), set_of(keys::kProbes));
}

}  // namespace
}  // namespace heddle::format
