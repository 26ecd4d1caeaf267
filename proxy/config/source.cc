#include "proxy/config/source.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "common/observe/log.h"
#include "proxy/config/bind.h"
#include "proxy/control/describe.h"

namespace heddle::config {
namespace {

// How long a socket that no listener has any more can be had back.
constexpr std::chrono::seconds kLeaving{1};

std::set<std::string> hosts_of(const Edge& edge) {
  std::set<std::string> out;
  for (const NamedTarget& named : edge.names) out.insert(named.host);
  return out;
}

}  // namespace

struct FileSource::Found {
  Addresses addresses;
  std::map<std::string, std::string> failures;  // by name
};

// One reading of the file. They wait for each other: the last one asked for is the last in force.
struct FileSource::Reload {
  explicit Reload(const asio::any_io_executor& executor)
      : changed(executor, asio::steady_timer::time_point::max()) {}
  std::optional<Result<Edge>> edge;
  bool finished = false;
  asio::steady_timer changed;  // cancelled when one of these is there
};

FileSource::FileSource(asio::any_io_executor executor, Options options, telemetry::Metrics& metrics,
                       std::function<void(const control::ConfigEvent&)> publish)
    : executor_(executor),
      path_(std::move(options.path)),
      look_up_(std::move(options.look_up)),
      metrics_(metrics),
      publish_(std::move(publish)),
      store_(std::move(options.sockets)),
      again_(executor),
      left_(executor) {}

FileSource::~FileSource() {
  blocking_.stop();
  blocking_.join();
}

Result<> FileSource::start(Edge edge) {
  TRY_DO(apply(std::move(edge)));
  refresh();
  return {};
}

void FileSource::stop() {
  stopping_ = true;
  again_.cancel();
  left_.cancel();
  leaving_.clear();
}

Task<Result<>> FileSource::reload() {
  const auto mine = std::make_shared<Reload>(executor_);
  const auto before = std::exchange(last_, mine);
  while (before && !before->finished) {
    const auto [ec] = co_await before->changed.async_wait(nothrow);
    (void)ec;
  }
  load(mine);
  while (!mine->edge) {
    const auto [ec] = co_await mine->changed.async_wait(nothrow);
    (void)ec;
  }
  Result<> result;
  if (*mine->edge) {
    result = apply(**std::move(mine->edge));
  } else {
    result = std::unexpected(mine->edge->error());
  }
  if (!result) {
    metrics_.count_rejected_config();
    log_error("config.refused", {{"file", path_}, {"error", result.error()}});
  }
  mine->finished = true;
  mine->changed.cancel();
  co_return result;
}

void FileSource::load(std::shared_ptr<Reload> into) {
  std::set<std::string> known;
  for (const auto& [host, addresses] : addresses_) known.insert(host);
  asio::post(blocking_, [this, into, known = std::move(known)] {
    auto edge = std::make_shared<Result<Edge>>(load_edge(path_));
    auto found = std::make_shared<Found>();
    if (*edge) {
      std::set<std::string> fresh = hosts_of(**edge);
      std::erase_if(fresh, [&](const std::string& host) { return known.contains(host); });
      *found = find_all(fresh, look_up_);
    }
    asio::post(executor_, [this, into, edge, found] {
      take(*found);
      into->edge = std::move(*edge);
      into->changed.cancel();
    });
  });
}

Result<> FileSource::apply(Edge edge) {
  snapshot::Snapshot snapshot = resolved(edge, addresses_);
  snapshot.revision = revision_ + 1;
  TRY_DO(bind_missing(snapshot));
  const control::Sockets before = store_.sockets();
  TRY(const auto events, store_.apply(std::move(snapshot), std::chrono::steady_clock::now()));
  keep_leaving(before);
  edge_ = std::move(edge);
  ++revision_;
  metrics_.set_revision(revision_);
  publish_all(events);
  on_applied(edge_);
  log_info("config.applied", {{"file", path_}, {"revision", revision_}});
  std::erase_if(addresses_, [hosts = hosts_of(edge_)](const auto& entry) {
    return !hosts.contains(entry.first);
  });
  arm();
  return {};
}

// All or none: what was bound for a configuration that then fails is closed again.
Result<> FileSource::bind_missing(const snapshot::Snapshot& snapshot) {
  std::vector<std::pair<std::string, UniqueFd>> bound;
  for (const std::string& name : store_.missing_sockets(snapshot)) {
    if (leaving_.contains(name)) continue;
    TRY(const SocketAddr address, SocketAddr::parse(name));
    TRY(auto fd, bind_tcp(address));
    bound.emplace_back(name, std::move(fd));
  }
  for (auto& [name, fd] : bound) store_.add_socket(name, std::move(fd));
  for (const std::string& name : store_.missing_sockets(snapshot)) {
    store_.add_socket(name, leaving_.at(name));
    leaving_.erase(name);
  }
  return {};
}

// A listener that was dropped has its socket until its queue is served; one that comes at the same
// address meanwhile gets that socket, as a second one could not be bound.
void FileSource::keep_leaving(const control::Sockets& before) {
  for (const auto& [name, fd] : before) {
    if (!store_.has_socket(name)) leaving_[name] = fd;
  }
  left_.expires_after(kLeaving);
  left_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec) leaving_.clear();
  });
}

FileSource::Found FileSource::find_all(const std::set<std::string>& names, const Lookup& look_up) {
  Found out;
  for (const std::string& name : names) {
    auto addresses = look_up(name);
    if (addresses) {
      out.addresses[name] = *std::move(addresses);
    } else {
      out.failures[name] = addresses.error().text();
    }
  }
  return out;
}

void FileSource::take(const Found& found) {
  for (const auto& [name, addresses] : found.addresses) {
    addresses_[name] = addresses;
    if (failing_.erase(name)) log_info("name.resolved", {{"name", name}});
  }
  for (const auto& [name, error] : found.failures) {
    if (!failing_.insert(name).second) continue;
    const auto kept = addresses_.find(name);
    log_warn("name.failed",
             {{"name", name},
              {"error", error},
              {"kept_addresses", kept == addresses_.end() ? 0 : kept->second.size()}});
  }
}

void FileSource::refresh() {
  const auto names = hosts_of(edge_);
  if (names.empty()) {
    ready_ = true;
    return;
  }
  asio::post(blocking_, [this, names] {
    auto found = std::make_shared<const Found>(find_all(names, look_up_));
    asio::post(executor_, [this, found] {
      take(*found);
      apply_names();
      ready_ = true;
      arm();
    });
  });
}

// The groups as they are with the addresses known now; those that stay the same make no event.
void FileSource::apply_names() {
  const auto now = std::chrono::steady_clock::now();
  for (snapshot::TargetGroup& group : resolved(edge_, addresses_).groups) {
    const auto events = store_.apply(std::move(group), now);
    if (events) publish_all(*events);
  }
}

void FileSource::arm() {
  again_.cancel();
  if (stopping_ || edge_.names.empty()) return;
  again_.expires_after(edge_.resolve_every);
  again_.async_wait([this](const boost::system::error_code& ec) {
    if (!ec && !stopping_) refresh();
  });
}

void FileSource::publish_all(const std::vector<control::ConfigEvent>& events) {
  for (const control::ConfigEvent& event : events) publish_(event);
}

std::string FileSource::describe() const {
  return control::describe_config(
      "\"file\":" + control::quoted_json(path_) + ",\"revision\":" + std::to_string(revision_),
      store_);
}

}  // namespace heddle::config
