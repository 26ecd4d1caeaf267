#pragma once
#include <forward_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "proxy/http/message.h"
#include "proxy/snapshot/config.h"

namespace re2 {
class RE2;
}

namespace heddle::route {

// A rewrite, ready for use. Threads: any.
class Rewriter {
 public:
  // Errors: `invalid`, when the expression is none or the replacement names a group it lacks.
  static Result<Rewriter> make(const snapshot::Rewrite& config);

  const std::string& host() const { return config_.host; }  // empty: the client's
  // The target to ask for instead of `target`; nullopt when it stays. The query is kept.
  std::optional<std::string> target_for(const http::RequestHead& request) const;

 private:
  snapshot::Rewrite config_;
  std::shared_ptr<const re2::RE2> regex_;
  std::string replacement_;  // in RE2's spelling
};

// What a proxy changes in heads. Owns the text that their views lead to then, so it lives as long
// as they are used.
class Edits {
 public:
  void apply(std::span<const snapshot::HeaderEdit> edits, std::vector<http::HeaderField>& fields);
  // Replaces the field or adds it.
  void set(std::vector<http::HeaderField>& fields, std::string_view name, std::string value);
  std::string_view keep(std::string text);

 private:
  std::forward_list<std::string> texts_;
};

// Fields that say how a message is framed or whom it is for, which are the proxy's alone.
bool is_editable(std::string_view name);
// X-Forwarded-For and its like, which a load balancer writes itself.
bool is_forwarding(std::string_view name);

}  // namespace heddle::route
