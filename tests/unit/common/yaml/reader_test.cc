#include "common/yaml/reader.h"

#include <gtest/gtest.h>

#include <array>

namespace heddle::yaml {
namespace {

constexpr std::array<std::string_view, 3> kWords{"address", "daemon", "files"};

TEST(Reader, DurationsNeedAUnit) {
  EXPECT_EQ(*parse_duration("250ms"), std::chrono::milliseconds(250));
  EXPECT_EQ(*parse_duration("1.5s"), std::chrono::milliseconds(1500));
  EXPECT_EQ(*parse_duration("2m"), std::chrono::minutes(2));
  for (const char* bad : {"", "3", "s", "-1s", "1 s", "1e3s", "nan", "inf", "99999999h", "1sx"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Reader, SuggestsWhatIsNearOrElseAll) {
  EXPECT_EQ(suggestion("deamon", kWords), "; did you mean \"daemon\"?");
  EXPECT_NE(suggestion("zzz", kWords).find("address, daemon, files"), std::string::npos);
}

TEST(Reader, NamesAreBounded) {
  EXPECT_TRUE(is_name("h1"));
  EXPECT_TRUE(is_name("a.b-c_d"));
  EXPECT_TRUE(is_name(std::string(63, 'a')));
  for (const std::string& bad :
       {std::string(), std::string(64, 'a'), std::string("-a"), std::string(".."),
        std::string("a/b"), std::string("a b"), std::string("a\n")})
    EXPECT_FALSE(is_name(bad)) << bad;
}

TEST(Reader, AllProblemsAreTold) {
  const auto root = parse_yaml("adress: 1\nfiles: [x]\ndaemon: maybe\n", "f.yml");
  ASSERT_TRUE(root);
  Diagnostics diagnostics("f.yml");
  const MapReader map(*root, "hosts.h1", kWords, diagnostics);
  EXPECT_TRUE(map.text_map("files").empty());
  EXPECT_FALSE(map.flag("daemon"));
  EXPECT_EQ(diagnostics.as_error().text(),
            "f.yml:1:1: hosts.h1.adress: unknown key; did you mean \"address\"?\n"
            "f.yml:2:8: hosts.h1.files: must be a map of texts, not a list\n"
            "f.yml:3:9: hosts.h1.daemon: must be true or false, not \"maybe\"");
}

TEST(Reader, ManyProblemsAreCountedNotListed) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "k" + std::to_string(i) + ": 1\n";
  const auto root = parse_yaml(text, "f.yml");
  Diagnostics diagnostics("f.yml");
  const MapReader map(*root, "", kWords, diagnostics);
  EXPECT_NE(diagnostics.as_error().text().find("and 75 more"), std::string::npos);
}

}  // namespace
}  // namespace heddle::yaml
