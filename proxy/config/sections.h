#pragma once
#include <string>
#include <utility>
#include <vector>

#include "common/yaml/reader.h"
#include "proxy/config/edge.h"
#include "proxy/config/keys.h"

// The sections of a configuration file. Each reports what is wrong to `Reading::diagnostics`.
namespace heddle::config {

inline constexpr std::int64_t kMostWeight = 1'000'000;

struct Reading {
  explicit Reading(const std::string& file) : diagnostics(file) {}

  yaml::Diagnostics diagnostics;
  Edge edge;
  std::string node;  // where the proxy itself is
  std::string zone;
  // Groups that something names, checked once all are known.
  struct Reference {
    yaml::Mark mark;
    std::string path;
    std::string group;
  };
  std::vector<Reference> references;
};

void read_listeners(Reading& reading, const yaml::YamlNode& node);
void read_groups(Reading& reading, const yaml::YamlNode& node);

// One rule without its priority and conditions; `map` is the rule's.
snapshot::Treatment read_treatment(Reading& reading, const yaml::MapReader& map);
std::optional<snapshot::Action> read_action(Reading& reading, const yaml::MapReader& map);
std::vector<snapshot::Condition> read_conditions(Reading& reading, const yaml::YamlNode& node,
                                                 const std::string& path);

// Texts that stand in headers: without control characters. Reports and gives "" otherwise.
std::optional<snapshot::Sticky> read_sticky(Reading& reading, const yaml::YamlNode& node,
                                            const std::string& path);

snapshot::Limits read_limits(Reading& reading, const yaml::YamlNode& node, const std::string& path);
// The sections of a group that say how it stays up: outlier, retry, health-check.
void read_resilience(Reading& reading, const yaml::MapReader& map, snapshot::TargetGroup& group);

// `5%`, `0.1%`: parts of a million. Reports anything else.
std::optional<std::uint32_t> read_share(const yaml::MapReader& map, std::string_view key);

std::string plain_text(const yaml::MapReader& map, std::string_view key, std::size_t most);

}  // namespace heddle::config
