#include "topologies/engine/graph/timeline.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>
#include <utility>

namespace heddle::graph {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 9> kEffects{"note",     "down",    "up",     "cut", "mended",
                                                   "impaired", "cleared", "failed", "held"};

struct KindEffect {
  std::string_view kind;
  Effect effect;
};
// What is known by its kind alone; how steps and checks ended says their `ok`.
constexpr auto kKinds = std::to_array<KindEffect>({{"kill", Effect::down},
                                                   {"down", Effect::down},
                                                   {"pause", Effect::down},
                                                   {"kill-daemon", Effect::down},
                                                   {"daemon-died", Effect::down},
                                                   {"disk-full", Effect::down},
                                                   {"start", Effect::up},
                                                   {"restart", Effect::up},
                                                   {"up", Effect::up},
                                                   {"restart-daemon", Effect::up},
                                                   {"resume", Effect::up},
                                                   {"cut", Effect::cut},
                                                   {"partition", Effect::cut},
                                                   {"mend", Effect::mended},
                                                   {"heal", Effect::mended},
                                                   {"impair", Effect::impaired},
                                                   {"clear", Effect::cleared}});

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (!value || !value->is_string()) return "";
  return std::string(value->as_string().data(), value->as_string().size());
}

std::optional<std::int64_t> number_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (!value || !value->is_number()) return std::nullopt;
  const double number = value->to_number<double>();
  if (!(number >= 0 && number < 1e15)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<bool> flag_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (!value || !value->is_bool()) return std::nullopt;
  return value->as_bool();
}

class Reader {
 public:
  explicit Reader(const Graph& graph) : graph_(graph) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) nodes_[graph.nodes[i].name] = i;
    for (std::size_t i = 0; i < graph.links.size(); ++i) {
      for (const End* end : {&graph.links[i].a, &graph.links[i].b})
        links_[graph.nodes[end->node].name + ":" + end->interface] = i;
    }
  }

  Event read(const json::object& object, std::int64_t at_ms) const {
    Event event;
    event.at_ms = at_ms;
    event.kind = text_of(object, "kind");
    event.subject = text_of(object, "subject");
    event.text = text_of(object, "text");
    event.effect = effect_of(event.kind, text_of(object, "effect"), flag_of(object, "ok"));
    find_subjects(event);
    return event;
  }

  // A step of a report without events.
  Event read_step(const json::object& step, std::int64_t at_ms) const {
    Event event;
    event.at_ms = at_ms;
    event.kind = "step";
    event.subject = text_of(step, "on");
    const std::string command = text_of(step, "command");
    const std::string name = text_of(step, "name");
    event.text = name.empty() ? command : name;
    const bool passed = flag_of(step, "passed").value_or(false);
    event.effect = passed ? Effect::held : Effect::failed;
    constexpr std::array<std::pair<std::string_view, Effect>, 4> kFaults{
        {{"cut the power of ", Effect::down},
         {"kill -9 heddled on ", Effect::down},
         {"start heddled again on ", Effect::up},
         {"switch ", Effect::up}}};
    for (const auto& [start, effect] : kFaults) {
      if (!event.subject.empty() || !passed || !command.starts_with(start)) continue;
      event.subject = command.substr(start.size());
      if (start == "switch " && event.subject.ends_with(" on"))
        event.subject.resize(event.subject.size() - 3);
      event.effect = effect;
    }
    find_subjects(event);
    return event;
  }

 private:
  static Effect effect_of(const std::string& kind, const std::string& effect,
                          std::optional<bool> ok) {
    if (const auto named = std::ranges::find(kEffects, effect); named != kEffects.end())
      return static_cast<Effect>(named - kEffects.begin());
    if (ok == false) return Effect::failed;
    const auto known = std::ranges::find(kKinds, std::string_view(kind), &KindEffect::kind);
    if (known != kKinds.end()) return known->effect;
    return ok == true ? Effect::held : Effect::note;
  }

  // `h1`, `h1, h2`, `h1:eth0`.
  void find_subjects(Event& event) const {
    std::string word;
    const auto take = [&] {
      if (const auto node = nodes_.find(word); node != nodes_.end())
        event.nodes.push_back(node->second);
      if (const auto link = links_.find(word); link != links_.end())
        event.links.push_back(link->second);
      word.clear();
    };
    for (const char c : event.subject) {
      if (c == ',' || c == ' ') {
        take();
      } else {
        word += c;
      }
    }
    take();
  }

  const Graph& graph_;
  std::map<std::string, std::size_t, std::less<>> nodes_;
  std::map<std::string, std::size_t, std::less<>> links_;
};

Result<json::object> parse(std::string_view text) {
  if (text.size() > kMaxReport)
    return fail(Errc::invalid,
                "larger than " + std::to_string(kMaxReport >> 20) + " MiB; is this a report?");
  json::parse_options options;
  options.max_depth = 32;
  options.allow_invalid_utf8 = true;  // what commands print is bytes
  boost::system::error_code ec;
  json::value value = json::parse(json::string_view(text.data(), text.size()), ec, {}, options);
  if (ec) return fail(Errc::invalid, "not JSON: " + ec.message());
  if (!value.is_object())
    return fail(Errc::invalid, "no JSON object, which `heddle lab run --format json` prints");
  return std::move(value.as_object());
}

}  // namespace

std::string_view name_of(Effect effect) {
  return kEffects[static_cast<std::size_t>(effect)];
}

Result<std::vector<Event>> read_report(std::string_view text, const Graph& graph) {
  TRY(const json::object root, parse(text));
  if (const std::string lab = text_of(root, "lab"); !lab.empty() && lab != graph.lab)
    return fail(Errc::invalid,
                "this is the report of lab " + lab + ", and the file's is " + graph.lab);
  const json::value* events = root.if_contains("events");
  const json::value* steps = root.if_contains("steps");
  if ((!events || !events->is_array()) && (!steps || !steps->is_array()))
    return fail(Errc::invalid,
                "has neither \"events\" nor \"steps\"; `heddle lab run --format json` prints both");
  const Reader reader(graph);
  std::vector<Event> out;
  if (events && events->is_array()) {
    for (const json::value& value : events->as_array()) {
      if (!value.is_object()) continue;
      if (const auto at = number_of(value.as_object(), "at_ms"))
        out.push_back(reader.read(value.as_object(), *at));
    }
  } else {
    std::int64_t at = 0;
    for (const json::value& value : steps->as_array()) {
      if (!value.is_object()) continue;
      at += number_of(value.as_object(), "time_ms").value_or(0);
      out.push_back(reader.read_step(value.as_object(), at));
    }
  }
  std::ranges::stable_sort(out, {}, &Event::at_ms);
  if (out.size() > kMaxEvents) out.resize(kMaxEvents);
  return out;
}

}  // namespace heddle::graph
