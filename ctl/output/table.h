#pragma once
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace heddle::output {

// Rows under headings, columns as wide as their widest cell, three spaces apart. Empty cells are
// written as `-`. Control characters, which could move a terminal's cursor, are written as `\x1b`.
class Table final {
 public:
  explicit Table(std::vector<std::string> headings);
  void add(std::vector<std::string> row);  // as many cells as headings (CHECKed)
  void print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the headings first
};

// `Name:      app`, one a line, for one object. Several values of a key go on lines of their own.
class Details final {
 public:
  void add(std::string key, std::string value);
  void add(std::string key, const std::vector<std::string>& values);
  void print(std::ostream& out) const;

 private:
  struct Line {
    std::string key;
    std::string value;
  };
  std::vector<Line> lines_;
};

// Text as a terminal may see it.
std::string printable(std::string_view text);

// `a, b, c`
std::string joined(const std::vector<std::string>& parts, std::string_view separator = ", ");

}  // namespace heddle::output
