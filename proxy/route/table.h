#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/result.h"
#include "proxy/http/message.h"
#include "proxy/route/pattern.h"
#include "proxy/route/rate_limiter.h"
#include "proxy/route/rewriter.h"
#include "proxy/snapshot/config.h"

namespace heddle::route {

// What a request gets. Everything it leads to is the table's.
struct Decision {
  const snapshot::Action* action = nullptr;  // nullptr: no rule holds and there is no default
  const snapshot::Treatment* treatment = nullptr;
  const Rewriter* rewriter = nullptr;  // nullptr: nothing is rewritten
  RateLimiter* limiter = nullptr;      // nullptr: no limit
};

// A listener's rules, ready for use and shared by all cores: patterns are compiled, and rules that
// ask for certain hosts and paths are looked at for those alone, so that ten thousand of them cost
// about what one does. Immutable but for the limiters. Threads: any.
class Table {
 public:
  // Limits that stand in `before` (may be nullptr) for the same rule with the same numbers go on
  // from there. Errors: `invalid`, naming the rule and its expression.
  static Result<std::shared_ptr<const Table>> make(
      std::shared_ptr<const snapshot::Listener> listener, const Table* before);
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  const snapshot::Listener& listener() const { return *listener_; }

  // The first rule by priority whose conditions all hold, else the default. Hosts compare without
  // case and port; paths and methods byte by byte, as they were sent; query parameters decoded.
  // `client`: its address.
  Decision find(const http::RequestHead& request, std::string_view client) const;

 private:
  struct Condition {
    const snapshot::Condition* config = nullptr;
    std::vector<Pattern> any;
  };
  struct Rule {
    std::uint32_t priority = 0;
    std::vector<Condition> conditions;
    const snapshot::Action* action = nullptr;
    const snapshot::Treatment* treatment = nullptr;
    std::unique_ptr<Rewriter> rewriter;
    std::shared_ptr<RateLimiter> limiter;
  };
  // Positions of rules, ascending.
  using Positions = std::vector<std::uint32_t>;
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using ByText = std::unordered_map<std::string, Positions, TextHash, std::equal_to<>>;
  struct Paths {
    ByText exact;
    std::map<std::size_t, ByText> prefixes;  // by their length
    Positions others;
  };
  using ByHost = std::unordered_map<std::string, Paths, TextHash, std::equal_to<>>;
  struct Subject;

  explicit Table(std::shared_ptr<const snapshot::Listener> listener)
      : listener_(std::move(listener)) {}
  Result<Rule> compile(const std::vector<snapshot::Condition>& conditions,
                       const snapshot::Action& action, const snapshot::Treatment& treatment) const;
  void index(std::uint32_t position);
  void index_paths(Paths& paths, std::uint32_t position);
  bool holds(const Condition& condition, Subject& subject) const;
  void search(const Positions& positions, Subject& subject, std::size_t& best) const;
  void search_paths(const Paths& paths, Subject& subject, std::size_t& best) const;
  Decision decide(const Rule& rule) const;

  const std::shared_ptr<const snapshot::Listener> listener_;
  std::vector<Rule> rules_;  // by priority
  std::optional<Rule> fallback_;
  ByHost hosts_;
  ByHost domains_;  // of wildcards `*.example.org`: `.example.org`
  Paths any_host_;
};

}  // namespace heddle::route
