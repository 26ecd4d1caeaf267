#include "dataplane/nft/elements.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>

#include "dataplane/netlink/message.h"

namespace heddle::nft {
namespace {

using dataplane::PublishedKey;
using dataplane::PublishedTarget;
using netlink::Attributes;
using netlink::Message;

constexpr std::array kMaps{PortMap::published4, PortMap::anywhere4, PortMap::published6,
                           PortMap::anywhere6};
constexpr std::size_t kElementsPerMessage =
    512;  // a nest holds 64 KiB, an element at most 88 bytes
constexpr std::size_t kMessageBytes = 64 << 10;

int type_of(int message) {
  return NFNL_SUBSYS_NFTABLES << 8 | message;
}

nfgenmsg header_of(std::uint8_t family) {
  nfgenmsg header{};
  header.nfgen_family = family;
  header.version = NFNETLINK_V0;
  return header;
}

Message query_of(int message, int flags, const std::string& table) {
  Message query(type_of(message), flags);
  query.header(header_of(NFPROTO_INET));
  static_assert(int{NFTA_CHAIN_TABLE} == 1 && int{NFTA_SET_TABLE} == 1 &&
                int{NFTA_RULE_TABLE} == 1 && int{NFTA_TABLE_NAME} == 1 &&
                int{NFTA_SET_ELEM_LIST_TABLE} == 1 && int{NFTA_OBJ_TABLE} == 1);
  query.text(NFTA_TABLE_NAME, table);
  return query;
}

// The kernel's registers are filled four bytes at a time.
void put_field(std::string& into, const void* data, std::size_t size) {
  into.append(static_cast<const char*>(data), size);
  into.append((4 - size % 4) % 4, '\0');
}

void put_port(std::string& into, std::uint16_t port) {
  const std::uint16_t be = htons(port);
  put_field(into, &be, 2);
}

void put_address(std::string& into, const IpAddr& address) {
  put_field(into, address.bytes().data(), address.is_v4() ? 4 : 16);
}

// Takes fields off the front; `whole` stays true while they are as they should.
class Fields final {
 public:
  explicit Fields(const std::string& bytes) : left_(bytes) {}
  std::uint8_t byte() { return static_cast<std::uint8_t>(take(1)[0]); }
  std::uint16_t port() {
    const auto data = take(2);
    return static_cast<std::uint16_t>(static_cast<std::uint8_t>(data[0]) << 8 |
                                      static_cast<std::uint8_t>(data[1]));
  }
  IpAddr address(bool v4) {
    const auto data = take(v4 ? 4 : 16);
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), data.data(), 16);
    if (!v4) return IpAddr::v6(bytes);
    return IpAddr::v4(std::uint32_t{bytes[0]} << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3]);
  }
  bool whole() const { return whole_ && left_.empty(); }

 private:
  std::array<char, 16> take(std::size_t size) {
    std::array<char, 16> field{};
    const std::size_t padded = (size + 3) / 4 * 4;
    if (left_.size() < padded) {
      whole_ = false;
      return field;
    }
    std::memcpy(field.data(), left_.data(), size);
    for (std::size_t i = size; i < padded; ++i) whole_ &= left_[i] == '\0';
    left_.remove_prefix(padded);
    return field;
  }

  std::string_view left_;
  bool whole_ = true;
};

bool is_v4(PortMap map) {
  return map == PortMap::published4 || map == PortMap::anywhere4;
}
bool is_anywhere(PortMap map) {
  return map == PortMap::anywhere4 || map == PortMap::anywhere6;
}

std::string bytes_of(const nlattr* attribute) {
  return {static_cast<const char*>(nla_data(attribute)),
          static_cast<std::size_t>(nla_len(attribute))};
}

std::string value_of(nlattr* attribute) {
  if (!attribute) return {};
  const Attributes<NFTA_DATA_MAX> data(attribute);
  return data.find(NFTA_DATA_VALUE) ? bytes_of(data.find(NFTA_DATA_VALUE)) : std::string();
}

void put_value(Message& message, int attribute, const std::string& value) {
  const Message::Nest nest(message, attribute);
  message.bytes(NFTA_DATA_VALUE, value.data(), static_cast<int>(value.size()));
}

bool is_gone(const Error& error) {
  return error.sys_errno() == ENOENT;
}

// The named attributes of each answer, as they are.
template <int kMax>
void append(const nlmsghdr& answer, std::initializer_list<int> wanted, std::string& into) {
  const Attributes<kMax> attributes(answer, sizeof(nfgenmsg));
  for (const int number : wanted) {
    const nlattr* found = attributes.find(number);
    into += static_cast<char>(number);
    if (found) into += std::to_string(nla_len(found)) + ":" + bytes_of(found);
  }
}

// Its attributes; the header before them has the generation, which is others' as well.
void append_whole(const nlmsghdr& answer, std::string& into) {
  const nlattr* first = nlmsg_attrdata(&answer, sizeof(nfgenmsg));
  into.append(reinterpret_cast<const char*>(first),
              static_cast<std::size_t>(nlmsg_attrlen(&answer, sizeof(nfgenmsg))));
}

template <int kMax>
bool is_of(const nlmsghdr& answer, const std::string& table) {
  return Attributes<kMax>(answer, sizeof(nfgenmsg)).text(1) == table;
}

}  // namespace

std::string_view name(PortMap map) {
  constexpr std::string_view kNames[] = {"published4", "anywhere4", "published6", "anywhere6"};
  return kNames[static_cast<std::size_t>(map)];
}

PortMap map_of(const PublishedKey& key) {
  if (key.address.is_unspecified())
    return key.address.is_v4() ? PortMap::anywhere4 : PortMap::anywhere6;
  return key.address.is_v4() ? PortMap::published4 : PortMap::published6;
}

RawElement encode(const PublishedKey& key, const PublishedTarget& target) {
  RawElement element;
  const auto protocol = static_cast<std::uint8_t>(key.protocol);
  put_field(element.key, &protocol, 1);
  if (!key.address.is_unspecified()) put_address(element.key, key.address);
  put_port(element.key, key.port);
  put_address(element.data, target.address);
  put_port(element.data, target.port);
  return element;
}

std::optional<std::pair<PublishedKey, PublishedTarget>> decode(PortMap map,
                                                               const RawElement& element) {
  const bool v4 = is_v4(map);
  Fields key_fields(element.key);
  const std::uint8_t protocol = key_fields.byte();
  PublishedKey key;
  key.address = v4 ? IpAddr() : IpAddr::v6({});
  if (!is_anywhere(map)) key.address = key_fields.address(v4);
  key.port = key_fields.port();
  Fields data_fields(element.data);
  PublishedTarget target;
  target.address = data_fields.address(v4);
  target.port = data_fields.port();
  if (!key_fields.whole() || !data_fields.whole()) return std::nullopt;
  if (protocol != 6 && protocol != 17 && protocol != 132) return std::nullopt;
  key.protocol = static_cast<dataplane::Protocol>(protocol);
  if (key.address.is_unspecified() != is_anywhere(map)) return std::nullopt;
  return std::pair(key, target);
}

Result<PortMaps> PortMaps::open(std::string table) {
  TRY(auto socket, netlink::Socket::open_netfilter());
  return PortMaps(std::move(table), std::move(socket));
}

Result<std::uint32_t> PortMaps::generation() {
  Message query(type_of(NFT_MSG_GETGEN), 0);
  query.header(header_of(AF_UNSPEC));
  std::uint32_t generation = 0;
  TRY_DO(socket_.query(query, "read the generation of nftables", [&](const nlmsghdr& answer) {
    generation = Attributes<NFTA_GEN_MAX>(answer, sizeof(nfgenmsg)).be32(NFTA_GEN_ID);
  }));
  return generation;
}

Result<PortMaps::Contents> PortMaps::read() {
  Contents contents;
  for (const PortMap map : kMaps) {
    Message query = query_of(NFT_MSG_GETSETELEM, NLM_F_DUMP, table_);
    query.text(NFTA_SET_ELEM_LIST_SET, std::string(name(map)));
    auto done = socket_.query(query, "list published ports", [&](const nlmsghdr& answer) {
      const Attributes<NFTA_SET_ELEM_LIST_MAX> list(answer, sizeof(nfgenmsg));
      const nlattr* elements = list.find(NFTA_SET_ELEM_LIST_ELEMENTS);
      if (!elements) return;
      nlattr* element;
      int left;
      nla_for_each_nested(element, elements, left) {
        const Attributes<NFTA_SET_ELEM_MAX> attributes(element);
        bool plain = true;
        for (int i = 1; i <= NFTA_SET_ELEM_MAX; ++i) {
          if (i != NFTA_SET_ELEM_KEY && i != NFTA_SET_ELEM_DATA && i != NFTA_SET_ELEM_USERDATA)
            plain &= attributes.find(i) == nullptr;
        }
        auto port = decode(map, {value_of(attributes.find(NFTA_SET_ELEM_KEY)),
                                 value_of(attributes.find(NFTA_SET_ELEM_DATA))});
        if (plain && port) {
          contents.published.insert(*std::move(port));
        } else {
          contents.remarks.push_back("map " + std::string(name(map)) + " has a foreign element");
        }
      }
    });
    if (!done && !is_gone(done.error())) return std::unexpected(std::move(done).error());
  }
  return contents;
}

// The names of the table's sets.
Result<std::set<std::string>> PortMaps::read_sets(std::string& into) {
  std::set<std::string> found;
  Message sets = query_of(NFT_MSG_GETSET, NLM_F_DUMP, table_);
  TRY_DO(socket_.query(sets, "list sets of nftables", [&](const nlmsghdr& answer) {
    if (!is_of<NFTA_SET_MAX>(answer, table_)) return;
    append<NFTA_SET_MAX>(
        answer,
        {NFTA_SET_NAME, NFTA_SET_FLAGS, NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN, NFTA_SET_DATA_TYPE,
         NFTA_SET_DATA_LEN, NFTA_SET_HANDLE, NFTA_SET_TIMEOUT, NFTA_SET_EXPR, NFTA_SET_EXPRESSIONS},
        into);
    found.insert(Attributes<NFTA_SET_MAX>(answer, sizeof(nfgenmsg)).text(NFTA_SET_NAME));
  }));
  return found;
}

Result<std::string> PortMaps::fingerprint() {
  std::string bytes;
  Message table = query_of(NFT_MSG_GETTABLE, 0, table_);
  auto there = socket_.query(table, "look for our nftables table", [&](const nlmsghdr& answer) {
    append<NFTA_TABLE_MAX>(answer, {NFTA_TABLE_FLAGS, NFTA_TABLE_HANDLE}, bytes);
  });
  if (!there && is_gone(there.error())) return std::string();
  TRY_DO(std::move(there));
  Message chains = query_of(NFT_MSG_GETCHAIN, NLM_F_DUMP, table_);
  TRY_DO(socket_.query(chains, "list chains of nftables", [&](const nlmsghdr& answer) {
    if (!is_of<NFTA_CHAIN_MAX>(answer, table_)) return;
    append<NFTA_CHAIN_MAX>(answer,
                           {NFTA_CHAIN_HANDLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY,
                            NFTA_CHAIN_TYPE, NFTA_CHAIN_FLAGS},
                           bytes);
  }));
  Message rules = query_of(NFT_MSG_GETRULE, NLM_F_DUMP, table_);
  TRY_DO(socket_.query(rules, "list rules of nftables", [&](const nlmsghdr& answer) {
    if (is_of<NFTA_RULE_MAX>(answer, table_)) append_whole(answer, bytes);
  }));
  Message objects = query_of(NFT_MSG_GETOBJ, NLM_F_DUMP, table_);
  TRY_DO(socket_.query(objects, "list counters of nftables", [&](const nlmsghdr& answer) {
    if (!is_of<NFTA_OBJ_MAX>(answer, table_)) return;
    append<NFTA_OBJ_MAX>(answer, {NFTA_OBJ_NAME, NFTA_OBJ_TYPE, NFTA_OBJ_HANDLE}, bytes);
  }));
  TRY(const auto sets, read_sets(bytes));
  for (const std::string& set : sets) {
    bool ports = false;
    for (const PortMap map : kMaps) ports |= set == name(map);
    if (ports) continue;
    Message elements = query_of(NFT_MSG_GETSETELEM, NLM_F_DUMP, table_);
    elements.text(NFTA_SET_ELEM_LIST_SET, set);
    auto read = socket_.query(elements, "list elements of nftables",
                              [&](const nlmsghdr& answer) { append_whole(answer, bytes); });
    if (!read && !is_gone(read.error())) return std::unexpected(std::move(read).error());
  }
  return bytes;
}

namespace {

// Messages that add or delete the elements, map by map.
void add_messages(int message, const std::string& table, const Published& ports,
                  std::deque<Message>& into) {
  std::array<std::vector<RawElement>, kMaps.size()> by_map;
  for (const auto& [key, target] : ports)
    by_map[static_cast<std::size_t>(map_of(key))].push_back(encode(key, target));
  for (const PortMap map : kMaps) {
    const std::vector<RawElement>& elements = by_map[static_cast<std::size_t>(map)];
    for (std::size_t start = 0; start < elements.size(); start += kElementsPerMessage) {
      Message& made = into.emplace_back(
          type_of(message), message == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, kMessageBytes);
      made.header(header_of(NFPROTO_INET)).text(NFTA_SET_ELEM_LIST_TABLE, table);
      made.text(NFTA_SET_ELEM_LIST_SET, std::string(name(map)));
      const Message::Nest list(made, NFTA_SET_ELEM_LIST_ELEMENTS);
      for (std::size_t i = start; i < std::min(elements.size(), start + kElementsPerMessage); ++i) {
        const Message::Nest element(made, NFTA_LIST_ELEM);
        put_value(made, NFTA_SET_ELEM_KEY, elements[i].key);
        if (message == NFT_MSG_NEWSETELEM) put_value(made, NFTA_SET_ELEM_DATA, elements[i].data);
      }
    }
  }
}

Message boundary(int type) {
  Message made(type, 0);
  nfgenmsg header = header_of(AF_UNSPEC);
  header.res_id = htons(NFNL_SUBSYS_NFTABLES);
  made.header(header);
  return made;
}

}  // namespace

Result<> PortMaps::apply(const Change& change, std::uint32_t generation) {
  std::deque<Message> messages;
  messages.push_back(boundary(NFNL_MSG_BATCH_BEGIN));
  messages.back().be32(NFNL_BATCH_GENID, generation);
  add_messages(NFT_MSG_DELSETELEM, table_, change.removed, messages);
  add_messages(NFT_MSG_NEWSETELEM, table_, change.added, messages);
  if (messages.size() == 1) return {};
  messages.push_back(boundary(NFNL_MSG_BATCH_END));
  std::vector<netlink::Socket::Step> steps;
  for (Message& message : messages)
    steps.push_back({&message, "change published ports", netlink::Socket::Answer::always});
  steps.front().answer = netlink::Socket::Answer::failure;
  steps.back().answer = netlink::Socket::Answer::failure;
  auto done = socket_.batch(steps);
  if (done) return {};
  const int code = done.error().sys_errno();
  if (code == ERESTART || code == EEXIST || code == EBUSY)
    return fail(Errc::conflict, "nftables changed meanwhile");
  return done;
}

}  // namespace heddle::nft
