#include "ctl/output/json.h"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include <sstream>

#include "ctl/output/words.h"

namespace heddle::output {
namespace {

std::string printed(const Json& json) {
  std::ostringstream out;
  print(out, json);
  return out.str();
}

TEST(Json, IsIndentedInOrderAndParsesBack) {
  const model::ServicePort port{"http", 8080, model::Protocol::tcp, model::AppProtocol::http1};
  EXPECT_EQ(printed(to_json(port)),
            "{\n"
            "  \"name\": \"http\",\n"
            "  \"port\": 8080,\n"
            "  \"protocol\": \"tcp\",\n"
            "  \"app\": \"http1\"\n"
            "}\n");
  EXPECT_EQ(boost::json::parse(printed(to_json(port))), to_json(port));
}

TEST(Json, EmptyListsAndHostileTextStayJson) {
  EXPECT_EQ(printed(to_json(std::vector<model::ServicePort>{})), "[]\n");
  client::Verified verified;
  verified.differences = {"link \"a\"\n\x1b is gone"};
  EXPECT_EQ(boost::json::parse(printed(to_json(verified))), to_json(verified));
  EXPECT_EQ(printed(to_json(verified)).find('\x1b'), std::string::npos);
}

TEST(Json, ServiceDetailsHaveTheirBackends) {
  client::ServiceDetails details;
  details.service.name = "web";
  details.network_name = "app";
  details.backends.push_back({model::Endpoint{}, "h1", true});
  const Json json = to_json(details);
  EXPECT_EQ(json.at("name"), "web");
  EXPECT_EQ(json.at("network_name"), "app");
  EXPECT_EQ(json.at("backends").at(0).at("node_name"), "h1");
  EXPECT_EQ(json.at("backends").at(0).at("reachable"), true);
  EXPECT_EQ(json.at("backends").at(0).at("state"), "starting");
}

TEST(Words, TimesAreUtc) {
  EXPECT_EQ(format(model::Time(std::chrono::seconds(1'760'000'000))), "2025-10-09T08:53:20Z");
  EXPECT_EQ(format(model::Time{}), "");
}

TEST(Words, APortReadsAsItIsTyped) {
  EXPECT_EQ(
      format(model::ServicePort{"dns", 53, model::Protocol::udp, model::AppProtocol::automatic}),
      "dns=53/udp");
  EXPECT_EQ(format(model::ServicePort{"", 80, model::Protocol::tcp, model::AppProtocol::http2}),
            "80/tcp/http2");
}

}  // namespace
}  // namespace heddle::output
