#include "netd/dns/forwarder.h"

#include <sys/random.h>

#include <algorithm>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include "common/base/check.h"
#include "netd/dns/exchange.h"

namespace heddle::dns {
namespace {

// Forms in which one server is asked: with spelling and EDNS, without the one, without the other.
constexpr int kForms = 3;
// Letters of a name by which we know our own spelling again.
constexpr std::ptrdiff_t kTellingLetters = 8;

Deadline now() {
  return std::chrono::steady_clock::now();
}

Secrets random_secrets() {
  Secrets secrets;
  CHECK(::getrandom(&secrets, sizeof secrets, 0) == sizeof secrets);
  return secrets;
}

bool refuses(const UpstreamReply& reply) {
  return reply.is(Rcode::refused) || reply.is(Rcode::not_implemented);
}

// Worth asking another server.
bool useless(const UpstreamReply& reply) {
  return refuses(reply) || reply.is(Rcode::server_failure) || reply.is(Rcode::format_error);
}

// RFC 6891, section 6.2.2: what a server says that does not know EDNS.
bool may_lack_edns(const UpstreamReply& reply) {
  return reply.is(Rcode::format_error) || reply.is(Rcode::not_implemented) ||
         reply.is(Rcode::bad_version);
}

std::size_t limit_of(const Query& query, Transport transport) {
  return transport == Transport::tcp ? kMaxMessage : udp_limit(query);
}

// A question as it was sent, while its answer is awaited.
class Sent final {
 public:
  Sent(std::multiset<std::string>& all, ByteView query) : all_(all) {
    const Parsed parsed = parse_query(query);
    CHECK(parsed.query.has_value());
    at_ = all_.insert(spelled_question(query, *parsed.query));
  }
  Sent(const Sent&) = delete;
  Sent& operator=(const Sent&) = delete;
  ~Sent() { all_.erase(at_); }

 private:
  std::multiset<std::string>& all_;
  std::multiset<std::string>::iterator at_;
};

}  // namespace

Forwarder::Forwarder(const asio::any_io_executor& executor, const Settings& settings,
                     Counters& counters, std::vector<SocketAddr> servers)
    : executor_(executor),
      settings_(settings),
      counters_(counters),
      servers_(std::make_shared<Upstreams>(std::move(servers))),
      cache_(settings.cache_bytes),
      tasks_(executor) {}

void Forwarder::set_servers(std::vector<SocketAddr> servers) {
  servers_ = std::make_shared<Upstreams>(std::move(servers));
  cache_.clear();
}

std::vector<Forwarder::Server> Forwarder::servers() const {
  std::vector<Server> all;
  for (std::size_t i = 0; i < servers_->size(); ++i) {
    all.push_back({servers_->address(i), servers_->up(i)});
  }
  return all;
}

Bytes Forwarder::find(ByteView message, const Query& query, Transport transport) {
  const Cache::Found found = cache_.find(Question(message, query).key(), now());
  if (found.reply == nullptr) return {};
  ++counters_.cached;
  return render(*found.reply, message, query, found.age, limit_of(query, transport));
}

bool Forwarder::is_ours(ByteView message, const Query& query) const {
  if (sent_.empty()) return false;
  const std::string spelled = spelled_question(message, query);
  const auto letters = std::ranges::count_if(
      spelled, [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  const bool mixed = std::ranges::any_of(spelled, [](char c) { return c >= 'A' && c <= 'Z'; });
  return mixed && letters >= kTellingLetters && sent_.contains(spelled);
}

Task<Bytes> Forwarder::ask(Bytes message, Query query, Transport transport) {
  if (is_ours(message, query)) {
    ++counters_.loops;
    co_return encode_failure(message, Rcode::refused);
  }
  Question question(message, query);
  const std::string key = question.key() + (transport == Transport::tcp ? 't' : 'u');
  std::shared_ptr<Flight> flight;
  if (const auto found = flights_.find(key); found != flights_.end()) {
    flight = found->second;
    ++counters_.joined;
  } else {
    if (flights_.size() >= settings_.max_questions) {
      co_return encode_failure(message, Rcode::server_failure);
    }
    flight = std::make_shared<Flight>(executor_);
    flights_.emplace(key, flight);
    tasks_.spawn(fly(flight, std::move(question), transport));
  }
  if (!flight->done) {
    const auto [ec] = co_await flight->landed.async_wait(nothrow);
    (void)ec;
  }
  if (flight->reply == nullptr) co_return encode_failure(message, Rcode::server_failure);
  co_return render(*flight->reply, message, query, 0, limit_of(query, transport));
}

Task<> Forwarder::fly(std::shared_ptr<Flight> flight, Question question, Transport transport) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const Servers servers = servers_;
  auto reply = co_await ask_all(question, transport);
  if (reply) {
    flight->reply = std::make_shared<const UpstreamReply>(*std::move(reply));
    if (servers == servers_) cache_.insert(question.key(), flight->reply, now());
  }
  flights_.erase(question.key() + (transport == Transport::tcp ? 't' : 'u'));
  flight->done = true;
  flight->landed.cancel();
}

Task<Result<UpstreamReply>> Forwarder::ask_all(Question question, Transport transport) {
  const Stopped stopped(co_await asio::this_coro::cancellation_state);
  const Servers servers = servers_;
  const Deadline deadline = after(settings_.total);
  if (const auto due = servers->due(now())) tasks_.spawn(try_again(servers, *due, question));
  Result<UpstreamReply> last = fail(Errc::unavailable, "no name server is configured");
  for (bool silence = true; silence;) {
    silence = false;  // a datagram may have got lost: those that were silent are asked once more
    for (const std::size_t server : servers->order()) {
      const Deadline share = std::min(deadline, after(settings_.attempt));
      auto reply = co_await ask_one(servers, server, question, transport, share);
      if (reply && !useless(*reply)) co_return reply;
      silence = silence || (!reply && reply.error().code() == Errc::timeout);
      // A refusal is worth more than silence.
      if (reply || !last) last = std::move(reply);
      if (stopped || now() >= deadline) co_return last;
    }
  }
  co_return last;
}

Task<> Forwarder::try_again(Servers servers, std::size_t server, Question question) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto reply =
      co_await ask_one(servers, server, question, Transport::udp, after(settings_.attempt));
  (void)reply;
}

Task<Result<UpstreamReply>> Forwarder::ask_one(Servers servers, std::size_t server,
                                               Question question, Transport transport,
                                               Deadline deadline) {
  auto reply = co_await converse(servers, server, question, transport, deadline);
  if (reply && !refuses(*reply)) {
    servers->answered(server);
    co_return reply;
  }
  if (!reply && reply.error().code() == Errc::cancelled) co_return reply;
  servers->failed(server, now());
  ++(!reply && reply.error().code() == Errc::timeout ? counters_.silent : counters_.useless);
  co_return reply;
}

Task<Result<UpstreamReply>> Forwarder::converse(Servers servers, std::size_t server,
                                                Question question, Transport transport,
                                                Deadline deadline) {
  using Lacks = Upstreams::Lacks;
  const SocketAddr address = servers->address(server);
  const bool knows_edns = !servers->lacks(server, Lacks::edns, now());
  Question::Form form{knows_edns, !servers->lacks(server, Lacks::spelling, now())};
  for (int forms = 0; forms < kForms; ++forms) {
    const Bytes query = question.encode(random_secrets(), form);
    const Sent sent(sent_, query);
    ++counters_.asked;
    const auto heard = co_await ask_by_udp(query, address, deadline);
    if (!heard) co_return std::unexpected(heard.error());
    if (heard->match == Match::other_spelling) {
      servers->found_lacking(server, Lacks::spelling, now());
      form.mixed_case = false;
      continue;
    }
    auto reply = parse_reply(query, heard->reply, settings_.longest);
    if (!reply) break;
    if (form.edns && may_lack_edns(*reply)) {
      form.edns = false;
      continue;
    }
    if (knows_edns && !form.edns && !may_lack_edns(*reply)) {
      servers->found_lacking(server, Lacks::edns, now());
    }
    if (!reply->truncated || transport == Transport::udp) co_return *std::move(reply);
    auto whole = co_await repeat_by_tcp(query, address, deadline);
    co_return whole;
  }
  co_return fail(Errc::unavailable,
                 "name server " + address.format() + " sends what is no answer in DNS");
}

Task<Result<UpstreamReply>> Forwarder::repeat_by_tcp(Bytes query, SocketAddr server,
                                                     Deadline deadline) {
  ++counters_.asked;
  ++counters_.by_tcp;
  const auto heard = co_await ask_by_tcp(query, server, deadline);
  if (!heard) co_return std::unexpected(heard.error());
  // In whatever spelling it came back.
  auto reply = parse_reply(query, heard->reply, settings_.longest);
  if (!reply || reply->truncated) {
    co_return fail(Errc::unavailable,
                   "name server " + server.format() + " sends no whole answer over TCP");
  }
  co_return *std::move(reply);
}

}  // namespace heddle::dns
