#include "topologies/engine/format/emit.h"

#include <algorithm>

#include "topologies/engine/format/scalar.h"

namespace heddle::format {
namespace {

constexpr std::size_t kIndent = 2;

// Numbers, addresses and the like: what was plain stays plain where that is safe.
bool stays_plain(const YamlNode& node) {
  const std::string& text = node.scalar;
  if (node.quoted || text.empty() || text == "null" || text.size() > 120) return false;
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return is_alphanumeric(text.front()) && text.back() != ':' &&
         std::ranges::all_of(text, [&](char c) {
           return is_alphanumeric(c) || std::string_view("-_./:%+").find(c) != std::string::npos;
         });
}

// Whether `|` can hold it: several lines of what can be printed, the first one not indented (its
// indentation says the block's).
bool fits_block(const std::string& text) {
  if (text.find('\n') == std::string::npos || text.front() == ' ' || text.front() == '\n')
    return false;
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\n' || (byte >= 0x20 && byte < 0x7f);
  });
}

class Emitter {
 public:
  std::string run(const YamlNode& root) {
    const bool inside = has_children(root);
    if (!inside) {
      out_ += inline_value(root) + "\n";
    } else {
      children(root, 0);
    }
    return std::move(out_);
  }

 private:
  static bool has_children(const YamlNode& node) {
    return !node.items.empty() || !node.entries.empty();
  }

  static std::string inline_value(const YamlNode& node) {
    switch (node.kind) {
      case YamlNode::Kind::null:
        return "~";
      case YamlNode::Kind::list:
        return "[]";
      case YamlNode::Kind::map:
        return "{}";
      case YamlNode::Kind::scalar:
        break;
    }
    return stays_plain(node) ? node.scalar : yaml_scalar(node.scalar);
  }

  // Behind `key:` or `-`, to the line's end.
  void value(const YamlNode& node, std::size_t indent) {
    if (has_children(node)) {
      out_ += "\n";
      children(node, indent);
    } else if (node.kind == YamlNode::Kind::scalar && fits_block(node.scalar)) {
      block(node.scalar, indent);
    } else {
      out_ += " " + inline_value(node) + "\n";
    }
  }

  void children(const YamlNode& node, std::size_t indent) {
    const std::string margin(indent, ' ');
    for (const YamlNode& item : node.items) {
      out_ += margin + "-";
      value(item, indent + kIndent);
    }
    for (const YamlNode::Entry& entry : node.entries) {
      out_ += margin + yaml_scalar(entry.key) + ":";
      value(entry.value, indent + kIndent);
    }
  }

  void block(const std::string& text, std::size_t indent) {
    const std::size_t last = text.find_last_not_of('\n');
    const std::size_t newlines = text.size() - last - 1;
    out_ += newlines == 0 ? " |-\n" : newlines == 1 ? " |\n" : " |+\n";
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      if (end > at) out_ += std::string(indent, ' ') + text.substr(at, end - at);
      out_ += "\n";
      at = end + 1;
    }
  }

  std::string out_;
};

}  // namespace

std::string emit_yaml(const YamlNode& root) {
  return Emitter().run(root);
}

}  // namespace heddle::format
