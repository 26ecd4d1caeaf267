#include "common/yaml/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <map>
#include <set>
#include <sstream>

namespace heddle::yaml {
namespace {

// Thrown inside the builder only: yaml-cpp's parser cannot be stopped in another way.
struct Refused {
  Mark mark;
  std::string text;
};

Mark mark_of(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {mark.line + 1, mark.column + 1};
}

// Builds the tree from the parser's events. yaml-cpp's own nodes are not used: they share aliased
// nodes, so that nothing would bound what a walk over them visits.
class Builder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.mark = mark_of(mark);
    add(std::move(node), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node;
    node.kind = YamlNode::Kind::scalar;
    node.mark = mark_of(mark);
    node.quoted = tag == "!";  // what the scanner gives to everything but plain scalars
    node.scalar = value;
    if (!node.quoted && (value.empty() || value == "~" || value == "null"))
      node.kind = YamlNode::Kind::null;
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      throw Refused{mark_of(mark), "an alias stands inside the value that it names"};
    count(found->second.weight, mark_of(mark));
    place(found->second.node, found->second.weight);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::list, mark_of(mark), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(YamlNode::Kind::map, mark_of(mark), anchor);
  }
  void OnMapEnd() override { close(); }

  YamlNode take() { return std::move(root_); }

 private:
  struct Frame {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    std::size_t weight = 1;
    bool has_key = false;
    std::string key;
    Mark key_mark;
    std::set<std::string> keys;
    std::vector<YamlNode> merges;  // values of `<<`
  };
  struct Anchored {
    YamlNode node;
    std::size_t weight = 0;
  };

  void count(std::size_t weight, const Mark& mark) {
    nodes_ += weight;
    if (nodes_ > kMaxNodes)
      throw Refused{mark, "the file expands to more than " + std::to_string(kMaxNodes) +
                              " values; are aliases nested in aliases?"};
  }

  void open(YamlNode::Kind kind, Mark mark, YAML::anchor_t anchor) {
    count(1, mark);
    if (stack_.size() >= static_cast<std::size_t>(kMaxDepth))
      throw Refused{mark, "nested deeper than " + std::to_string(kMaxDepth) + " levels"};
    Frame frame;
    frame.node.kind = kind;
    frame.node.mark = mark;
    frame.anchor = anchor;
    stack_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    for (const YamlNode& merge : frame.merges) merge_into(frame, merge);
    if (frame.anchor) {
      count(frame.weight, frame.node.mark);  // the copy kept for aliases
      anchors_[frame.anchor] = {frame.node, frame.weight};
    }
    place(std::move(frame.node), frame.weight);
  }

  void add(YamlNode node, YAML::anchor_t anchor) {
    count(1, node.mark);
    if (anchor) anchors_[anchor] = {node, 1};
    place(std::move(node), 1);
  }

  void place(YamlNode node, std::size_t weight) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& parent = stack_.back();
    parent.weight += weight;
    if (parent.node.kind == YamlNode::Kind::list) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.has_key) {
      take_key(parent, node);
    } else {
      parent.has_key = false;
      if (parent.key == "<<") {
        parent.merges.push_back(std::move(node));
      } else {
        parent.node.entries.push_back({parent.key, parent.key_mark, std::move(node)});
      }
    }
  }

  static void take_key(Frame& map, const YamlNode& key) {
    if (key.kind == YamlNode::Kind::list || key.kind == YamlNode::Kind::map)
      throw Refused{key.mark, "a key must be plain text"};
    map.has_key = true;
    map.key = key.scalar;
    map.key_mark = key.mark;
    if (!map.keys.insert(key.scalar).second)
      throw Refused{key.mark, "key \"" + key.scalar + "\" stands twice in the same map"};
  }

  // YAML's merge key: what the map says itself wins, then the first merged map that has the key.
  static void merge_into(Frame& map, const YamlNode& merge) {
    if (merge.kind == YamlNode::Kind::list) {
      for (const YamlNode& item : merge.items) merge_into(map, item);
      return;
    }
    if (merge.kind != YamlNode::Kind::map)
      throw Refused{merge.mark, "`<<` merges maps; this is none"};
    for (const YamlNode::Entry& entry : merge.entries) {
      if (map.keys.insert(entry.key).second) map.node.entries.push_back(entry);
    }
  }

  YamlNode root_;
  std::vector<Frame> stack_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t nodes_ = 0;
};

Error at(const std::string& file, Mark mark, const std::string& text) {
  std::string place = file;
  if (mark.line) place += ":" + std::to_string(mark.line) + ":" + std::to_string(mark.column);
  return {Errc::invalid, place + ": " + text};
}

}  // namespace

const YamlNode* YamlNode::find(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

Result<YamlNode> parse_yaml(std::string_view text, const std::string& file) {
  if (text.size() > kMaxFileBytes)
    return fail(Errc::invalid, file + ": larger than " + std::to_string(kMaxFileBytes >> 20) +
                                   " MiB; is this the right file?");
  if (text.find('\0') != std::string_view::npos)
    return fail(Errc::invalid, file + ": holds a zero byte; it must be UTF-8 text");
  Builder builder;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    Builder second;
    if (parser.HandleNextDocument(second))
      return fail(Errc::invalid, file + ": more than one YAML document (`---`); keep one per file");
  } catch (const Refused& refused) {
    return std::unexpected(at(file, refused.mark, refused.text));
  } catch (const YAML::Exception& error) {
    return std::unexpected(at(file, mark_of(error.mark), "not YAML: " + error.msg));
  } catch (const std::exception& error) {  // yaml-cpp lets standard ones through on odd input
    return std::unexpected(at(file, {}, std::string("not YAML: ") + error.what()));
  }
  return builder.take();
}

}  // namespace heddle::yaml
