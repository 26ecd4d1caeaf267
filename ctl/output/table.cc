#include "ctl/output/table.h"

#include <algorithm>
#include <ostream>

#include "common/base/check.h"

namespace heddle::output {
namespace {

constexpr std::size_t kGap = 3;

// Columns on a terminal: code points, which is right for the names that we allow and near for
// others.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      out += c;
    }
  }
  return out;
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

Table::Table(std::vector<std::string> headings) {
  rows_.push_back(std::move(headings));
}

void Table::add(std::vector<std::string> row) {
  CHECK(row.size() == rows_.front().size());
  for (auto& cell : row) cell = cell.empty() ? "-" : printable(cell);
  rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out) const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width_of(row[i]) + kGap, ' ');
    }
    out << line << "\n";
  }
}

void Details::add(std::string key, std::string value) {
  lines_.push_back({std::move(key), printable(value)});
}

void Details::add(std::string key, const std::vector<std::string>& values) {
  if (values.empty()) add(key, std::string("-"));
  for (std::size_t i = 0; i < values.size(); ++i) add(i == 0 ? key : "", values[i]);
}

void Details::print(std::ostream& out) const {
  std::size_t width = 0;
  for (const auto& line : lines_) width = std::max(width, line.key.size());
  for (const auto& line : lines_) {
    const std::string key = line.key.empty() ? "" : line.key + ":";
    out << key << std::string(width + kGap - key.size(), ' ')
        << (line.value.empty() ? "-" : line.value) << "\n";
  }
}

}  // namespace heddle::output
