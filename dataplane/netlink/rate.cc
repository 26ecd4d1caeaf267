#include "dataplane/netlink/rate.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>

#include "dataplane/netlink/message.h"
#include "dataplane/netlink/qdisc.h"

namespace heddle::netlink {
namespace {

constexpr std::uint32_t kHandle = 0x48440000;  // "HD", major
constexpr std::uint32_t kFrameHeader = 18;     // Ethernet and one 802.1Q tag, bytes
constexpr std::uint64_t kNsPerTick = 64;       // PSCHED_SHIFT
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

std::uint64_t bytes_a_second(const Rate& rate) {
  return std::max<std::uint64_t>(rate.bits / 8, 1);
}

std::uint32_t clamp32(std::uint64_t value) {
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(value, std::numeric_limits<std::uint32_t>::max()));
}

// What a late timer may catch up with: 20 ms of the rate while that is less than the largest GSO
// packet, which then need not be cut, 4 ms of high rates, and some frames at low ones.
std::uint32_t burst_of(const Rate& rate) {
  constexpr std::uint64_t kLargestPacket = 70'000;  // bytes: 64 KB and its frames' headers
  const std::uint64_t bytes = bytes_a_second(rate);
  return clamp32(
      std::max<std::uint64_t>({bytes / 250, std::min(bytes / 50, kLargestPacket),
                               2ULL * (rate.mtu + kFrameHeader), 10ULL * (1500 + kFrameHeader)}));
}

// 100 ms of the rate, and at low ones enough frames for a TCP window to grow.
std::uint32_t limit_of(const Rate& rate) {
  return clamp32(
      std::max<std::uint64_t>(bytes_a_second(rate) / 10, 20ULL * (rate.mtu + kFrameHeader)));
}

QdiscPlace place_of(IfIndex link) {
  return {link, TC_H_ROOT, kHandle};
}

std::string owner(IfIndex link) {
  return " of link " + std::to_string(link.value);
}

std::optional<SeenRate> read_rate(const nlmsghdr& answer) {
  if (answer.nlmsg_type != RTM_NEWQDISC || answer.nlmsg_len < NLMSG_LENGTH(sizeof(tcmsg)))
    return std::nullopt;
  const auto* header = static_cast<const tcmsg*>(nlmsg_data(&answer));
  if (header->tcm_handle != kHandle || header->tcm_parent != TC_H_ROOT) return std::nullopt;
  const Attributes<TCA_MAX> attributes(answer, sizeof(tcmsg));
  nlattr* options = attributes.find(TCA_OPTIONS);
  if (attributes.text(TCA_KIND) != "tbf" || !options) return std::nullopt;
  const Attributes<TCA_TBF_MAX> tbf(options);
  nlattr* parameters = tbf.find(TCA_TBF_PARMS);
  if (!parameters || nla_len(parameters) < static_cast<int>(sizeof(tc_tbf_qopt)))
    return std::nullopt;
  tc_tbf_qopt values;
  std::memcpy(&values, nla_data(parameters), sizeof values);
  std::uint64_t bytes = values.rate.rate;
  if (nlattr* wide = tbf.find(TCA_TBF_RATE64); wide && nla_len(wide) >= 8)
    bytes = nla_get_u64(wide);
  return SeenRate{.link = {static_cast<std::uint32_t>(header->tcm_ifindex)},
                  .bits = bytes * 8,
                  .burst_ticks = values.buffer,
                  .limit_bytes = values.limit};
}

}  // namespace

Result<> put_rate(Socket& socket, IfIndex link, const Rate& rate) {
  Message message = put_token_bucket(
      place_of(link),
      {.rate = bytes_a_second(rate), .burst = burst_of(rate), .limit = limit_of(rate)});
  auto put = socket.request(message, "limit the rate" + owner(link));
  if (!put && lacks_qdisc(put.error()))
    return fail(Errc::unsupported,
                "this kernel has no token bucket qdisc (CONFIG_NET_SCH_TBF, module sch_tbf)");
  return put;
}

Result<> remove_rate(Socket& socket, IfIndex link) {
  return remove_qdisc(socket, place_of(link), "lift the rate" + owner(link));
}

bool SeenRate::is(const Rate& rate) const {
  const std::uint64_t ticks =
      burst_of(rate) * (kNsPerSecond / kNsPerTick) / bytes_a_second(rate);  // < 2^56
  // The kernel's arithmetic rounds.
  const std::uint64_t slack = 1 + ticks / 100;
  return bits == bytes_a_second(rate) * 8 && limit_bytes == limit_of(rate) &&
         burst_ticks + slack >= ticks && burst_ticks <= ticks + slack;
}

Result<std::optional<SeenRate>> rate_of(Socket& socket, IfIndex link) {
  Message message(RTM_GETQDISC, NLM_F_ECHO);  // without it the answer goes to listeners alone
  message.header(header_of(place_of(link)));
  std::optional<SeenRate> found;
  auto asked = socket.query(message, "look up the rate" + owner(link), [&](const nlmsghdr& answer) {
    if (auto rate = read_rate(answer)) found = rate;
  });
  // EINVAL: the root qdisc has another handle.
  if (asked || asked.error().code() == Errc::not_found || asked.error().sys_errno() == EINVAL)
    return found;
  return std::unexpected(std::move(asked).error());
}

Result<std::vector<SeenRate>> rates(Socket& socket) {
  Message message(RTM_GETQDISC, NLM_F_DUMP);
  message.header(tcmsg{});
  std::vector<SeenRate> found;
  TRY_DO(socket.query(message, "list qdiscs", [&](const nlmsghdr& answer) {
    if (auto rate = read_rate(answer)) found.push_back(*rate);
  }));
  return found;
}

}  // namespace heddle::netlink
