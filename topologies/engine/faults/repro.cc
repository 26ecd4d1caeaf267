// Faults as text: what `run --shrink` writes.
#include <algorithm>
#include <sstream>

#include "topologies/engine/faults/timeline.h"

namespace heddle::faults {
namespace {

using Shape = format::fault::Partition::Shape;

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    // A name of the file: control characters cannot be in it but as escapes.
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

std::string list(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + quoted(name);
  return "[" + out + "]";
}

std::string sides_of(const format::fault::Partition& partition) {
  std::string out;
  for (const auto& side : partition.sides) out += (out.empty() ? "" : ", ") + list(side);
  return partition.shape == Shape::one_way ? "{one-way: [" + out + "]}" : "[" + out + "]";
}

// From `delay 50ms loss 1% burst 5`.
std::string one_way(const format::Impairment& impairment) {
  std::istringstream words(format::describe(impairment));
  std::string out;
  std::string loss;
  std::string key;
  std::string value;
  while (words >> key >> value) {
    if (key == "loss") {
      loss = value;
      continue;
    }
    if (key == "burst") {
      loss = "{share: " + loss + ", burst: " + value + "}";
      continue;
    }
    out += (out.empty() ? "" : ", ") + key + ": " + value;
  }
  if (!loss.empty()) out += (out.empty() ? "" : ", ") + ("loss: " + loss);
  return out;
}

std::string impair_of(const Occurrence& occurrence, const format::fault::Impair& impair) {
  return "{link: " + list(occurrence.on) + ", forward: {" + one_way(impair.impairment.forward) +
         "}, backward: {" + one_way(impair.impairment.backward) + "}}";
}

std::string value_of(const Occurrence& occurrence) {
  const auto& action = occurrence.action;
  if (const auto* partition = std::get_if<format::fault::Partition>(&action))
    return sides_of(*partition);
  if (const auto* impair = std::get_if<format::fault::Impair>(&action))
    return impair_of(occurrence, *impair);
  if (const auto* clock = std::get_if<format::fault::ClockStep>(&action))
    return "{on: " + list(occurrence.on) + ", by: " + std::to_string(clock->by.count()) + "ms}";
  return list(occurrence.on);
}

// A line that begins a key of the file's root.
std::string root_key(const std::string& line) {
  if (line.empty() || line.front() == ' ' || line.front() == '#' || line.front() == '-') return "";
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos) return "";
  std::string key = line.substr(0, colon);
  if (key.size() > 2 && (key.front() == '"' || key.front() == '\''))
    key = key.substr(1, key.size() - 2);
  return key;
}

}  // namespace

std::string format_faults(const std::vector<Occurrence>& occurrences, std::uint64_t seed) {
  std::string out = "seed: " + std::to_string(seed) + "\nfaults:";
  if (occurrences.empty()) return out + " []\n";
  out += "\n";
  for (const Occurrence& occurrence : occurrences) {
    out += "  - at: " + std::to_string(occurrence.at.count()) + "ms\n";
    if (!occurrence.name.empty()) out += "    name: " + quoted(occurrence.name) + "\n";
    out += "    " + std::string(format::name_of(occurrence.action)) + ": " + value_of(occurrence) +
           "\n";
    if (occurrence.lasts) out += "    for: " + std::to_string(occurrence.lasts->count()) + "ms\n";
  }
  return out;
}

Result<std::string> replace_faults(const std::string& text, const std::string& faults) {
  std::istringstream lines(text);
  std::string out;
  bool dropping = false;
  bool named = false;
  for (std::string line; std::getline(lines, line);) {
    const std::string key = root_key(line);
    if (!key.empty()) dropping = key == "faults" || key == "seed";
    named = named || key == "name";
    if (!dropping || line.starts_with('#')) out += line + "\n";
  }
  if (!named)
    return fail(Errc::invalid,
                "the lab file is not written as a block that has `name:` in its own line");
  return out + "\n" + faults;
}

}  // namespace heddle::faults
