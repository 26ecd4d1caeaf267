#include "topologies/engine/format/impair.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "common/base/check.h"
#include "common/net/rate.h"
#include "topologies/engine/format/keys.h"
#include "topologies/engine/format/sections.h"

namespace heddle::format {
namespace {

using std::chrono::microseconds;

constexpr auto kDistributions =
    std::to_array<std::pair<std::string_view, Distribution>>({{"uniform", Distribution::uniform},
                                                              {"normal", Distribution::normal},
                                                              {"pareto", Distribution::pareto}});

std::unexpected<Error> must_be(std::string_view what, std::string_view text) {
  return fail(Errc::invalid,
              "must be " + std::string(what) + ", not \"" + std::string(text.substr(0, 40)) + "\"");
}

// A number and the word behind it. Absent: no number, or a negative one.
std::optional<std::pair<double, std::string_view>> read_number(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (ec != std::errc() || !(number >= 0)) return std::nullopt;
  return std::pair(number, std::string_view(stop, static_cast<std::size_t>(end - stop)));
}

Result<microseconds> parse_time(std::string_view text) {
  const auto number = read_number(text);
  double scale = 0;
  if (number && number->second == "us") scale = 1;
  if (number && number->second == "ms") scale = 1e3;
  if (number && number->second == "s") scale = 1e6;
  if (scale == 0) return must_be("a time such as 50ms, 200us or 1.5s", text);
  const double time = number->first * scale;
  if (time > static_cast<double>(kMostDelay.count())) return must_be("at most 60s", text);
  return microseconds(std::llround(time));
}

// A bare `1` is 1 % to tc and all of them to anybody else: it is not taken.
Result<double> parse_share(std::string_view text) {
  const auto number = read_number(text);
  const bool percent = number && number->second == "%";
  const bool plain = number && number->second.empty() &&
                     (number->first == 0 || text.find('.') != std::string_view::npos);
  if (!percent && !plain) return must_be("a share such as 1% or 0.01", text);
  const double share = percent ? number->first / 100 : number->first;
  if (share > 1) return must_be("a share from 0% to 100%", text);
  return share;
}

Result<double> parse_burst(std::string_view text) {
  const auto number = read_number(text);
  if (!number || !number->second.empty() || number->first < 1 || number->first > kMostBurst)
    return must_be("the mean number of packets lost in a row, from 1 to 10000", text);
  return number->first;
}

Result<std::uint32_t> parse_limit(std::string_view text) {
  std::uint32_t packets = 0;
  const char* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, packets);
  if (ec != std::errc() || stop != end || packets < 1 || packets > kMostWaiting)
    return must_be("a number of packets from 1 to " + std::to_string(kMostWaiting), text);
  return packets;
}

Result<Distribution> parse_distribution(std::string_view text) {
  const auto found =
      std::ranges::find(kDistributions, text, &decltype(kDistributions)::value_type::first);
  if (found == kDistributions.end()) return must_be("uniform, normal or pareto", text);
  return found->second;
}

// At most six digits behind the point, and no zeros at its end.
std::string format_number(double value) {
  std::array<char, 64> buffer;
  const auto [end, ec] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                       std::chars_format::fixed, 6);
  CHECK(ec == std::errc());
  std::string out(buffer.data(), end);
  while (out.ends_with('0')) out.pop_back();
  if (out.ends_with('.')) out.pop_back();
  return out;
}

std::string format_time(microseconds time) {
  const auto count = static_cast<double>(time.count());
  if (count < 1e3) return format_number(count) + "us";
  if (count < 1e6) return format_number(count / 1e3) + "ms";
  return format_number(count / 1e6) + "s";
}

// Reads `impair:` and its `forward:` and `backward:`.
class ImpairReader {
 public:
  ImpairReader(const YamlNode& node, std::string path, Diagnostics& diagnostics)
      : map_(node, std::move(path), keys::kImpair, diagnostics), diagnostics_(diagnostics) {}

  LinkImpairment read() {
    const Impairment common = read_values(map_, Impairment{});
    return {.forward = read_way("forward", common), .backward = read_way("backward", common)};
  }

 private:
  Impairment read_values(const MapReader& map, Impairment out) {
    for (std::string_view key : keys::kImpairWay) {
      const YamlNode* value = map.find(key);
      if (!value) continue;
      if (key == "loss" && value->kind == YamlNode::Kind::map) {
        const MapReader loss(*value, map.path_of("loss"), keys::kLoss, diagnostics_);
        if (!loss.find("share")) map.error("loss", "needs `share`");
        read_one(loss, "share", "loss", out);
        read_one(loss, "burst", "burst", out);
      } else {
        if (key == "loss") out.loss_burst = 1;
        read_one(map, key, key, out);
      }
    }
    return out;
  }

  static void read_one(const MapReader& map, std::string_view key, std::string_view name,
                       Impairment& out) {
    const auto text = map.text(key);
    if (!text) return;
    if (const auto set = set_impairment(out, name, *text); !set) map.error(key, set.error().text());
  }

  // Each contradiction is said once, where it was written.
  Impairment read_way(std::string_view way, const Impairment& common) {
    const YamlNode* own = map_.find(way);
    Impairment out = common;
    if (own) {
      const MapReader map(*own, map_.path_of(way), keys::kImpairWay, diagnostics_);
      out = read_values(map, common);
      if (const auto wrong = find_contradiction(out)) map.error(wrong->key, wrong->text);
    } else if (const auto wrong = find_contradiction(out); wrong && !std::exchange(said_, true)) {
      map_.error(wrong->key, wrong->text);
    }
    return out;
  }

  MapReader map_;
  Diagnostics& diagnostics_;
  bool said_ = false;
};

}  // namespace

Result<> set_impairment(Impairment& impairment, std::string_view key, std::string_view text) {
  const auto put = [](auto& place, auto parsed) -> Result<> {
    if (!parsed) return std::unexpected(std::move(parsed).error());
    place = *parsed;
    return {};
  };
  if (key == "delay") return put(impairment.delay, parse_time(text));
  if (key == "jitter") return put(impairment.jitter, parse_time(text));
  if (key == "distribution") return put(impairment.distribution, parse_distribution(text));
  if (key == "loss") return put(impairment.loss, parse_share(text));
  if (key == "burst") return put(impairment.loss_burst, parse_burst(text));
  if (key == "duplicate") return put(impairment.duplicate, parse_share(text));
  if (key == "corrupt") return put(impairment.corrupt, parse_share(text));
  if (key == "reorder") return put(impairment.reorder, parse_share(text));
  if (key == "limit") return put(impairment.limit, parse_limit(text));
  CHECK(key == "rate");
  const auto rate = parse_rate(text);
  if (!rate) return must_be(kRateForm, text);
  impairment.rate = *rate;
  return {};
}

std::optional<Contradiction> find_contradiction(const Impairment& impairment) {
  using Found = std::optional<Contradiction>;
  if (impairment.jitter > impairment.delay)
    return Found({"jitter", "is " + format_time(impairment.jitter) + ", more than the delay of " +
                                format_time(impairment.delay) +
                                ": a packet cannot arrive before it was sent"});
  if (impairment.distribution != Distribution::uniform && impairment.jitter.count() == 0)
    return Found({"distribution", "is how `jitter` spreads, and there is none"});
  if (impairment.loss_burst > 1 && impairment.loss == 0)
    return Found({"loss", "`burst` needs a `share` above 0"});
  // Between two bursts lies at least one packet that arrives.
  if (impairment.loss_burst > 1 &&
      impairment.loss > impairment.loss_burst / (impairment.loss_burst + 1))
    return Found(
        {"loss", "of " + format_number(impairment.loss * 100) + "% in bursts of " +
                     format_number(impairment.loss_burst) + " is impossible: at most " +
                     format_number(100 * impairment.loss_burst / (impairment.loss_burst + 1)) +
                     "% can be lost in such bursts"});
  if (impairment.reorder > 0 && impairment.delay.count() == 0)
    return Found({"reorder", "needs `delay`: packets overtake those that are being delayed"});
  if (impairment.limit > 0 && impairment.delay.count() == 0 && impairment.rate == 0)
    return Found({"limit", "is of packets that wait, and without `delay` and `rate` none does"});
  return std::nullopt;
}

std::string describe(const Impairment& impairment) {
  std::string out;
  const auto say = [&](std::string_view key, const std::string& value) {
    out += (out.empty() ? "" : " ") + std::string(key) + " " + value;
  };
  const auto share = [&](std::string_view key, double value) {
    if (value > 0) say(key, format_number(value * 100) + "%");
  };
  if (impairment.delay.count() > 0) say("delay", format_time(impairment.delay));
  if (impairment.jitter.count() > 0) say("jitter", format_time(impairment.jitter));
  if (impairment.distribution != Distribution::uniform) {
    for (const auto& [name, distribution] : kDistributions) {
      if (distribution == impairment.distribution) say("distribution", std::string(name));
    }
  }
  share("loss", impairment.loss);
  if (impairment.loss_burst > 1) say("burst", format_number(impairment.loss_burst));
  share("duplicate", impairment.duplicate);
  share("corrupt", impairment.corrupt);
  share("reorder", impairment.reorder);
  if (impairment.rate > 0) say("rate", format_rate(impairment.rate));
  if (impairment.limit > 0) say("limit", std::to_string(impairment.limit));
  return out;
}

LinkImpairment read_impairment(const YamlNode& node, const std::string& path,
                               Diagnostics& diagnostics) {
  return ImpairReader(node, path, diagnostics).read();
}

}  // namespace heddle::format
