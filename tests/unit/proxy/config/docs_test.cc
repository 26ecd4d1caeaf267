#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "proxy/config/edge.h"
#include "proxy/config/keys.h"

namespace heddle::config {
namespace {

using ::testing::HasSubstr;

std::string page() {
  std::ifstream in("docs/proxy.md");
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// Goal: docs/proxy.md is the program's. Its example is a file that is right, and every key that the
// program knows stands in it, as `key` or in the example.
TEST(ProxyDocs, TheExampleIsRight) {
  const std::string text = page();
  const auto begin = text.find("```yaml\n");
  ASSERT_NE(begin, std::string::npos);
  const auto end = text.find("```\n", begin + 8);
  const auto edge = parse_edge(text.substr(begin + 8, end - begin - 8), "docs/proxy.md");
  ASSERT_TRUE(edge) << edge.error().text();
  EXPECT_EQ(edge->snapshot.listeners.size(), 2U);
  EXPECT_EQ(edge->snapshot.listeners[0].rules.size(), 4U);
}

TEST(ProxyDocs, EveryKeyIsTold) {
  const std::string text = page();
  const auto told = [&](const auto& all) {
    for (const std::string_view key : all) {
      const std::string name(key);
      const bool found = text.find("`" + name + "`") != std::string::npos ||
                         text.find("`" + name + ": ") != std::string::npos ||
                         text.find("`{" + name + ": ") != std::string::npos ||
                         text.find("{" + name + ": ...}") != std::string::npos;
      EXPECT_TRUE(found) << name;
    }
  };
  told(keys::kFile);
  told(keys::kAdmin);
  told(keys::kListener);
  told(keys::kRule);
  told(keys::kWhen);
  told(keys::kMatch);
  told(keys::kForward);
  told(keys::kRedirect);
  told(keys::kRespond);
  told(keys::kRewrite);
  told(keys::kRewritePath);
  told(keys::kHeaderEdits);
  told(keys::kRateLimit);
  told(keys::kFault);
  told(keys::kFaultDelay);
  told(keys::kFaultAbort);
  told(keys::kGroup);
  told(keys::kTarget);
  told(keys::kAccessLog);
  told(keys::kLimits);
  told(keys::kOutlier);
  told(keys::kRetry);
  told(keys::kHealthCheck);
  told(keys::kSticky);
  told(keys::kHashBy);
  told(keys::kLocality);
}

}  // namespace
}  // namespace heddle::config
