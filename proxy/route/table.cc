#include "proxy/route/table.h"

#include <algorithm>
#include <array>

#include "proxy/http/syntax.h"

namespace heddle::route {
namespace {

using Of = snapshot::Condition::Of;
using How = snapshot::StringMatch::How;

std::string_view without_port(std::string_view authority) {
  const auto colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    return authority.substr(0, colon);
  }
  return authority;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decode_query(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                        hex_digit(text[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

// The suffix that `*.example.org` asks for; empty for anything else.
std::string_view domain_of(const snapshot::StringMatch& match) {
  const std::string_view text = match.text;
  if (match.how == How::suffix && text.starts_with('.')) return text;
  if (match.how != How::wildcard || !text.starts_with("*.")) return {};
  const std::string_view rest = text.substr(1);
  return rest.find_first_of("*?") == std::string_view::npos ? rest : std::string_view();
}

// Of a path condition that names a prefix; nullptr for anything else.
std::optional<std::string_view> prefix_of(const snapshot::StringMatch& match) {
  const std::string_view text = match.text;
  if (match.how == How::prefix) return text;
  if (match.how != How::wildcard || !text.ends_with('*')) return std::nullopt;
  const std::string_view rest = text.substr(0, text.size() - 1);
  if (rest.find_first_of("*?") != std::string_view::npos) return std::nullopt;
  return rest;
}

std::string rule_name(const snapshot::Listener& listener, const snapshot::Rule& rule) {
  return "listener '" + listener.name + "': rule " + std::to_string(rule.priority);
}

}  // namespace

// The request as conditions look at it; what costs something is made when first asked for.
struct Table::Subject {
  const http::RequestHead& request;
  std::string_view client;
  std::string host{};  // lower case, without port
  std::optional<std::optional<IpAddr>> address{};
  std::optional<std::vector<std::pair<std::string, std::string>>> query{};

  const std::optional<IpAddr>& client_address() {
    if (!address) {
      const auto parsed = IpAddr::parse(client);
      address = parsed ? std::optional(parsed->unmapped()) : std::nullopt;
    }
    return *address;
  }
  const std::vector<std::pair<std::string, std::string>>& parameters() {
    if (query) return *query;
    query.emplace();
    const auto mark = request.target.find('?');
    if (mark == std::string_view::npos) return *query;
    const std::string_view all = request.target.substr(mark + 1);
    for (std::size_t at = 0; at < all.size();) {
      const auto end = std::min(all.find('&', at), all.size());
      const std::string_view one = all.substr(at, end - at);
      at = end + 1;
      const auto equals = std::min(one.find('='), one.size());
      query->emplace_back(decode_query(one.substr(0, equals)),
                          decode_query(one.substr(std::min(equals + 1, one.size()))));
    }
    return *query;
  }
};

Result<std::shared_ptr<const Table>> Table::make(std::shared_ptr<const snapshot::Listener> listener,
                                                 const Table* before) {
  std::shared_ptr<Table> table(new Table(std::move(listener)));
  const snapshot::Listener& config = *table->listener_;
  table->rules_.reserve(config.rules.size());
  for (const snapshot::Rule& rule : config.rules) {
    TRY(auto made, table->compile(rule.conditions, rule.action, rule.treatment)
                       .during(rule_name(config, rule)));
    made.priority = rule.priority;
    table->rules_.push_back(std::move(made));
    table->index(static_cast<std::uint32_t>(table->rules_.size() - 1));
  }
  if (config.default_action) {
    TRY(table->fallback_, table->compile({}, *config.default_action, config.default_treatment)
                              .during("listener '" + config.name + "': default"));
  }
  if (!before) return table;
  const auto keep = [](Rule& rule, const Rule& old) {
    if (rule.limiter && old.limiter && rule.limiter->config() == old.limiter->config()) {
      rule.limiter = old.limiter;
    }
  };
  for (Rule& rule : table->rules_) {
    const auto old = std::ranges::lower_bound(before->rules_, rule.priority, {}, &Rule::priority);
    if (old != before->rules_.end() && old->priority == rule.priority) keep(rule, *old);
  }
  if (table->fallback_ && before->fallback_) keep(*table->fallback_, *before->fallback_);
  return table;
}

Result<Table::Rule> Table::compile(const std::vector<snapshot::Condition>& conditions,
                                   const snapshot::Action& action,
                                   const snapshot::Treatment& treatment) const {
  Rule out;
  out.action = &action;
  out.treatment = &treatment;
  for (const snapshot::Condition& condition : conditions) {
    Condition one;
    one.config = &condition;
    for (const snapshot::StringMatch& match : condition.any) {
      TRY(auto pattern, Pattern::make(match));
      one.any.push_back(std::move(pattern));
    }
    out.conditions.push_back(std::move(one));
  }
  if (treatment.rewrite != snapshot::Rewrite()) {
    TRY(auto rewriter, Rewriter::make(treatment.rewrite));
    out.rewriter = std::make_unique<Rewriter>(std::move(rewriter));
  }
  if (treatment.rate_limit) {
    // Any number will do that strangers do not know.
    const auto seed = reinterpret_cast<std::uintptr_t>(this);
    out.limiter = std::make_shared<RateLimiter>(*treatment.rate_limit, seed);
  }
  return out;
}

void Table::index(std::uint32_t position) {
  for (const Condition& condition : rules_[position].conditions) {
    if (condition.config->of != Of::host) continue;
    const auto& any = condition.config->any;
    const bool exact =
        std::ranges::all_of(any, [](const auto& match) { return match.how == How::exact; });
    const bool domain =
        std::ranges::all_of(any, [](const auto& match) { return !domain_of(match).empty(); });
    if (exact) {
      for (const auto& match : any) index_paths(hosts_[match.text], position);
      return;
    }
    if (domain) {
      for (const auto& match : any) index_paths(domains_[std::string(domain_of(match))], position);
      return;
    }
  }
  index_paths(any_host_, position);
}

void Table::index_paths(Paths& paths, std::uint32_t position) {
  // A rule that names something twice stands there once.
  const auto add = [&](Positions& positions) {
    if (positions.empty() || positions.back() != position) positions.push_back(position);
  };
  for (const Condition& condition : rules_[position].conditions) {
    if (condition.config->of != Of::path) continue;
    const auto& any = condition.config->any;
    const bool exact =
        std::ranges::all_of(any, [](const auto& match) { return match.how == How::exact; });
    const bool prefix =
        std::ranges::all_of(any, [](const auto& match) { return prefix_of(match).has_value(); });
    if (exact) {
      for (const auto& match : any) add(paths.exact[match.text]);
      return;
    }
    if (prefix) {
      for (const auto& match : any) {
        const std::string text(*prefix_of(match));
        add(paths.prefixes[text.size()][text]);
      }
      return;
    }
  }
  add(paths.others);
}

bool Table::holds(const Condition& condition, Subject& subject) const {
  const auto any = [&](std::string_view text) {
    return std::ranges::any_of(condition.any,
                               [&](const Pattern& pattern) { return pattern.matches(text); });
  };
  const http::RequestHead& request = subject.request;
  switch (condition.config->of) {
    case Of::host:
      return any(subject.host);
    case Of::path:
      return any(request.path);
    case Of::method:
      return any(request.method);
    case Of::header:
      // A repeated field holds if one of its values does.
      return std::ranges::any_of(request.fields, [&](const http::HeaderField& field) {
        return http::iequals(field.name, condition.config->name) && any(field.value);
      });
    case Of::query:
      return std::ranges::any_of(subject.parameters(), [&](const auto& parameter) {
        return parameter.first == condition.config->name && any(parameter.second);
      });
    case Of::source: {
      const auto& address = subject.client_address();
      return address && std::ranges::any_of(condition.config->sources, [&](const Prefix& prefix) {
               return prefix.contains(*address);
             });
    }
  }
  return false;
}

void Table::search(const Positions& positions, Subject& subject, std::size_t& best) const {
  for (const std::uint32_t position : positions) {
    if (position >= best) return;
    const bool all =
        std::ranges::all_of(rules_[position].conditions,
                            [&](const Condition& condition) { return holds(condition, subject); });
    if (all) {
      best = position;
      return;
    }
  }
}

void Table::search_paths(const Paths& paths, Subject& subject, std::size_t& best) const {
  const std::string_view path = subject.request.path;
  if (!paths.exact.empty()) {
    const auto found = paths.exact.find(path);
    if (found != paths.exact.end()) search(found->second, subject, best);
  }
  for (const auto& [length, by_text] : paths.prefixes) {
    if (length > path.size()) break;
    const auto found = by_text.find(path.substr(0, length));
    if (found != by_text.end()) search(found->second, subject, best);
  }
  search(paths.others, subject, best);
}

Decision Table::decide(const Rule& rule) const {
  return {rule.action, rule.treatment, rule.rewriter.get(), rule.limiter.get()};
}

Decision Table::find(const http::RequestHead& request, std::string_view client) const {
  std::size_t best = rules_.size();
  if (!rules_.empty()) {
    Subject subject{request, client};
    const std::string_view host = without_port(request.host);
    subject.host.resize(host.size());
    std::ranges::transform(host, subject.host.begin(), http::to_lower);
    if (!hosts_.empty()) {
      const auto found = hosts_.find(subject.host);
      if (found != hosts_.end()) search_paths(found->second, subject, best);
    }
    if (!domains_.empty()) {
      const std::string_view whole = subject.host;
      for (auto dot = whole.find('.'); dot != std::string_view::npos;
           dot = whole.find('.', dot + 1)) {
        const auto found = domains_.find(whole.substr(dot));
        if (found != domains_.end()) search_paths(found->second, subject, best);
      }
    }
    search_paths(any_host_, subject, best);
  }
  if (best < rules_.size()) return decide(rules_[best]);
  return fallback_ ? decide(*fallback_) : Decision();
}

}  // namespace heddle::route
