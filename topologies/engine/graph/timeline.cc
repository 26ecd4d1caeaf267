#include "topologies/engine/graph/timeline.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>
#include <utility>

namespace heddle::graph {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 10> kEffects{
    "note", "down", "up", "cut", "mended", "impaired", "cleared", "failed", "held", "restored"};

struct KindEffect {
  std::string_view kind;
  Effect effect;
};
// What is known by its kind alone; how steps and checks ended says their `ok`.
constexpr auto kKinds = std::to_array<KindEffect>(
    {{"kill", Effect::down},         {"down", Effect::down},          {"pause", Effect::down},
     {"kill-daemon", Effect::down},  {"daemon-died", Effect::down},   {"stop", Effect::down},
     {"freeze", Effect::down},       {"disk-full", Effect::impaired}, {"clock", Effect::impaired},
     {"start", Effect::up},          {"restart", Effect::up},         {"up", Effect::up},
     {"restart-daemon", Effect::up}, {"resume", Effect::up},          {"cut", Effect::cut},
     {"partition", Effect::cut},     {"mend", Effect::mended},        {"heal", Effect::mended},
     {"impair", Effect::impaired},   {"clear", Effect::cleared}});

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
  explicit Reader(const Graph& graph) {
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
    const std::string name = text_of(step, "name");
    event.text = name.empty() ? text_of(step, "command") : name;
    const bool passed = flag_of(step, "passed").value_or(false);
    event.effect = passed ? Effect::held : Effect::failed;
    const std::string fault = text_of(step, "fault");
    if (passed && !fault.empty()) event.effect = effect_of_fault(fault);
    find_subjects(event);
    return event;
  }

  // An entry of the timeline of faults: `what` it is, `on` whom, of a fault its name, and a
  // sentence.
  Event read_entry(const json::object& entry, std::int64_t at_ms) const {
    Event event;
    event.at_ms = at_ms;
    event.kind = text_of(entry, "what");
    event.text = text_of(entry, "text");
    event.subject = joined(entry, "on");
    find_subjects(event);
    if (event.kind == "broke" || event.kind == "problem") event.effect = Effect::failed;
    if (event.kind == "recovered" || event.kind == "held") event.effect = Effect::held;
    if (event.kind == "fault") event.effect = effect_of_fault(text_of(entry, "fault"));
    if (event.kind == "undo") event.effect = Effect::restored;
    return event;
  }

 private:
  static std::string joined(const json::object& object, std::string_view key) {
    std::string out;
    const json::value* list = object.if_contains(key);
    if (!list || !list->is_array()) return out;
    for (const json::value& name : list->as_array()) {
      if (name.is_string()) out += (out.empty() ? "" : ", ") + std::string(name.as_string());
    }
    return out;
  }

  static Effect effect_of_fault(std::string_view fault) {
    const auto known = std::ranges::find(kKinds, fault, &KindEffect::kind);
    return known == kKinds.end() ? Effect::note : known->effect;
  }

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
      if (std::string_view(", ").find(c) != std::string_view::npos) {
        take();
      } else {
        word += c;
      }
    }
    take();
  }

  std::map<std::string, std::size_t, std::less<>> nodes_;
  std::map<std::string, std::size_t, std::less<>> links_;
};

const json::array* array_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value && value->is_array() ? &value->as_array() : nullptr;
}

// A step stands where it ended.
void read_steps(const json::array& steps, const Reader& reader, std::vector<Event>& out) {
  std::int64_t end = 0;
  for (const json::value& value : steps) {
    if (!value.is_object()) continue;
    const json::object& step = value.as_object();
    end = number_of(step, "at_ms").value_or(end) + number_of(step, "time_ms").value_or(0);
    out.push_back(reader.read_step(step, end));
  }
}

void read_timeline(const json::object& timeline, const Reader& reader, std::vector<Event>& out) {
  const std::int64_t began = number_of(timeline, "began_ms").value_or(0);
  const json::array* entries = array_of(timeline, "entries");
  if (!entries) return;
  for (const json::value& value : *entries) {
    if (!value.is_object()) continue;
    if (const auto at = number_of(value.as_object(), "at_ms"))
      out.push_back(reader.read_entry(value.as_object(), began + *at));
  }
}

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
  const json::array* events = array_of(root, "events");
  const json::array* steps = array_of(root, "steps");
  if (!events && !steps)
    return fail(Errc::invalid,
                "has neither \"events\" nor \"steps\"; `heddle lab run --format json` prints them");
  const Reader reader(graph);
  std::vector<Event> out;
  if (events) {
    for (const json::value& value : *events) {
      if (!value.is_object()) continue;
      if (const auto at = number_of(value.as_object(), "at_ms"))
        out.push_back(reader.read(value.as_object(), *at));
    }
  } else {
    read_steps(*steps, reader, out);
    const json::value* timeline = root.if_contains("timeline");
    if (timeline && timeline->is_object()) read_timeline(timeline->as_object(), reader, out);
  }
  std::ranges::stable_sort(out, {}, &Event::at_ms);
  if (out.size() > kMaxEvents) out.resize(kMaxEvents);
  return out;
}

}  // namespace heddle::graph
