#include "netd/cluster/manager.h"

#include "common/observe/log.h"
#include "netd/cluster/etcd_child.h"
#include "netd/cluster/node_server.h"
#include "netd/identity/authority.h"
#include "netd/identity/join_token.h"

namespace heddle::cluster {
namespace {

constexpr std::uint16_t kEtcdClientPort = 7379;
constexpr char kEtcdName[] = "etcd.heddle.internal";  // the common name of all members
constexpr char kEtcdPrefix[] = "heddle/v1/";

Result<std::string> issue_etcd(const identity::Authority& authority, const std::string& key_pem,
                               const IpAddr& advertise, const Clock& clock) {
  identity::Profile profile;
  profile.common_name = kEtcdName;
  profile.dns_names = {kEtcdName};
  profile.addresses = {IpAddr::v4(0x7f000001), advertise};
  profile.lifetime = identity::kNodeLifetime;
  TRY(const auto request, identity::make_request(kEtcdName, key_pem));
  return authority.issue(request.request_pem, profile, clock);
}

Result<> issue_node(MembershipDir& dir, const Membership& membership,
                    const identity::Authority& authority, const Clock& clock) {
  TRY(const std::string key, dir.read(kNodeKeyFile));
  TRY(const auto request, identity::make_request(membership.node(), key));
  const auto profile =
      identity::node_profile(membership.swarm(), membership.node(), identity::NodeKind::manager);
  TRY(const std::string leaf, authority.issue(request.request_pem, profile, clock));
  return dir.write(kNodeCertificateFile, leaf);
}

// etcd's clients are on this machine alone; where the node's address is one of loopback's, several
// nodes are.
Result<SocketAddr> etcd_client_address(const Membership& membership) {
  TRY(const IpAddr advertise, IpAddr::parse(membership.address()));
  TRY(const Prefix loopback, Prefix::parse("127.0.0.0/8"));
  return SocketAddr{loopback.contains(advertise) ? advertise : IpAddr::v4(0x7f000001),
                    kEtcdClientPort};
}

bool is_due(const MembershipDir& dir, const char* name, const Clock& clock) {
  const auto pem = dir.read(name);
  if (!pem) return false;
  const auto read = identity::parse_certificate(*pem);
  return !read || read->not_after - clock.wall() < identity::kRenewBefore;
}

// Servers keep the certificates that they started with: so a manager renews them when it starts.
Result<> renew_if_due(MembershipDir& dir, const Membership& membership,
                      const identity::Authority& authority, const Clock& clock) {
  if (is_due(dir, kNodeCertificateFile, clock)) {
    TRY_DO(issue_node(dir, membership, authority, clock));
  }
  if (!is_due(dir, kEtcdCertificateFile, clock)) return {};
  TRY(const std::string root, dir.read(kEtcdRootFile));
  TRY(const std::string root_key, dir.read(kEtcdRootKeyFile));
  TRY(const auto etcd_authority, identity::Authority::load(root, root_key));
  TRY(const IpAddr advertise, IpAddr::parse(membership.address()));
  TRY(const std::string key, dir.read(kEtcdKeyFile));
  TRY(const std::string fresh, issue_etcd(etcd_authority, key, advertise, clock));
  return dir.write(kEtcdCertificateFile, fresh);
}

class ManagerImpl final : public Manager {
 public:
  ManagerImpl(Settings settings, identity::Authority authority, const Clock& clock)
      : settings_(std::move(settings)),
        dir_(settings_.dir),
        authority_(std::move(authority)),
        clock_(clock) {}

  Result<> start_etcd();
  Result<> wait_for_etcd(Deadline deadline);
  Result<> serve(std::optional<Founding> founding, Deadline deadline);

  Registry& registry() override { return *registry_; }
  Voters& voters() override { return *voters_; }
  const identity::Authority& authority() const override { return authority_; }

 private:
  const Settings settings_;
  MembershipDir dir_;
  const identity::Authority authority_;
  const Clock& clock_;
  // In the order in which they need each other.
  std::unique_ptr<EtcdChild> etcd_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::EtcdMembers> members_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Voters> voters_;
  std::unique_ptr<NodeServer> server_;
};

Result<> ManagerImpl::start_etcd() {
  TRY(const IpAddr advertise, IpAddr::parse(settings_.membership.address()));
  EtcdChild::Settings etcd;
  etcd.binary = settings_.etcd_binary;
  etcd.data_dir = dir_.file(kEtcdDir);
  etcd.name = settings_.membership.node();
  etcd.cluster = settings_.membership.swarm();
  TRY(etcd.client, etcd_client_address(settings_.membership));
  etcd.peer = {advertise, kEtcdPeerPort};
  etcd.ca_file = dir_.file(kEtcdRootFile);
  etcd.cert_file = dir_.file(kEtcdCertificateFile);
  etcd.key_file = dir_.file(kEtcdKeyFile);
  etcd.common_name = kEtcdName;
  etcd.log_file = dir_.file(kEtcdLog);
  etcd.initial_cluster = settings_.membership.initial_cluster();
  if (settings_.membership.managers_size() <= 1) etcd.alone = EtcdChild::Settings::Alone::yes;
  if (settings_.others == Settings::Others::lost) {
    etcd.members = EtcdChild::Settings::Members::forgotten;
  }
  etcd.cgroup = settings_.etcd_cgroup;
  TRY(etcd_, EtcdChild::start(etcd));
  store::EtcdTarget target;
  target.endpoint = etcd.client.format();
  TRY(target.ca_pem, dir_.read(kEtcdRootFile));
  TRY(target.cert_pem, dir_.read(kEtcdCertificateFile));
  TRY(target.key_pem, dir_.read(kEtcdKeyFile));
  target.prefix = kEtcdPrefix;
  TRY(store_, store::open_etcd(target));
  TRY(members_, store::open_members(target));
  return {};
}

Result<> ManagerImpl::wait_for_etcd(Deadline deadline) {
  for (;;) {
    const Deadline slice = std::min(deadline, after(std::chrono::milliseconds(500)));
    const auto listed = store_->list(kSwarmKind, slice);
    if (listed) return {};
    if (settings_.give_up && settings_.give_up()) return fail(Errc::cancelled, "stopping");
    if (std::chrono::steady_clock::now() < deadline) continue;
    const std::string words = etcd_->last_words();
    return fail(Errc::unavailable,
                "etcd does not come up: " + (words.empty() ? listed.error().text() : words) +
                    " (log: " + dir_.file(kEtcdLog) + ")");
  }
}

Result<> ManagerImpl::serve(std::optional<Founding> founding, Deadline deadline) {
  if (founding) {
    TRY_DO(
        Registry::found(*store_, founding->swarm, founding->node, founding->key_digest, deadline));
  }
  TRY(replica_, Replica::start(*store_, deadline));
  registry_ = std::make_unique<Registry>(*store_, *replica_, clock_);
  if (settings_.others == Settings::Others::lost) {
    TRY_DO(registry_->make_sole_manager(settings_.membership.node(), deadline));
  }
  NodeServer::Settings node_api;
  TRY(node_api.listen.address, IpAddr::parse(settings_.membership.address()));
  node_api.listen.port = static_cast<std::uint16_t>(settings_.membership.api_port());
  node_api.swarm = settings_.membership.swarm();
  node_api.manager = settings_.membership.node();
  node_api.root_pem = authority_.certificate_pem();
  TRY(node_api.key_pem, dir_.read(kNodeKeyFile));
  TRY(const std::string leaf, dir_.read(kNodeCertificateFile));
  node_api.chain_pem = leaf + authority_.certificate_pem();
  TRY(node_api.etcd_root_pem, dir_.read(kEtcdRootFile));
  TRY(node_api.etcd_root_key_pem, dir_.read(kEtcdRootKeyFile));
  voters_ = std::make_unique<Voters>(
      Voters::Settings{settings_.membership.node(), {node_api.root_pem, leaf, node_api.key_pem}},
      *members_, *store_, *registry_, *replica_);
  TRY(server_, NodeServer::start(node_api, *registry_, *replica_, *voters_, authority_, clock_));
  return {};
}

}  // namespace

Result<Manager::Identity> Manager::make_identity(MembershipDir& dir, const model::Id& swarm,
                                                 const IpAddr& advertise, const Clock& clock) {
  TRY(const auto root, identity::Authority::create("heddle swarm " + swarm, clock));
  TRY_DO(dir.write(kRootFile, root.certificate_pem()));
  TRY_DO(dir.write(kRootKeyFile, root.key_pem()));
  TRY(const auto etcd_root, identity::Authority::create("heddle etcd " + swarm, clock));
  TRY_DO(dir.write(kEtcdRootFile, etcd_root.certificate_pem()));
  TRY_DO(dir.write(kEtcdRootKeyFile, etcd_root.key_pem()));

  TRY(const auto request, identity::make_request("manager"));
  TRY(const identity::Digest key, identity::key_digest(request.request_pem));
  Identity made;
  made.key_digest = identity::format(key);
  made.node = made.key_digest.substr(0, 16);
  const auto profile = identity::node_profile(swarm, made.node, identity::NodeKind::manager);
  TRY(const std::string leaf, root.issue(request.request_pem, profile, clock));
  TRY_DO(dir.write(kNodeKeyFile, request.key_pem));
  TRY_DO(dir.write(kNodeCertificateFile, leaf));

  TRY(const auto etcd_request, identity::make_request(kEtcdName));
  TRY(const std::string etcd_leaf, issue_etcd(etcd_root, etcd_request.key_pem, advertise, clock));
  TRY_DO(dir.write(kEtcdKeyFile, etcd_request.key_pem));
  TRY_DO(dir.write(kEtcdCertificateFile, etcd_leaf));
  return made;
}

Result<> Manager::take_keys(MembershipDir& dir, const Membership& membership,
                            const ManagerKeys& keys, const Clock& clock) {
  TRY(const std::string root, dir.read(kRootFile));
  TRY(const auto authority, identity::Authority::load(root, keys.root_key_pem));
  TRY(const auto etcd_authority,
      identity::Authority::load(keys.etcd_root_pem, keys.etcd_root_key_pem));
  TRY(const IpAddr advertise, IpAddr::parse(membership.address()));
  TRY_DO(dir.remove(kEtcdDir));
  TRY_DO(dir.write(kRootKeyFile, keys.root_key_pem));
  TRY_DO(dir.write(kEtcdRootFile, keys.etcd_root_pem));
  TRY_DO(dir.write(kEtcdRootKeyFile, keys.etcd_root_key_pem));
  TRY_DO(issue_node(dir, membership, authority, clock));
  TRY(const auto request, identity::make_request(kEtcdName));
  TRY(const std::string leaf, issue_etcd(etcd_authority, request.key_pem, advertise, clock));
  TRY_DO(dir.write(kEtcdKeyFile, request.key_pem));
  return dir.write(kEtcdCertificateFile, leaf);
}

Result<> Manager::drop_keys(MembershipDir& dir) {
  Result<> first;
  for (const char* name : {kRootKeyFile, kEtcdRootKeyFile, kEtcdKeyFile, kEtcdCertificateFile,
                           kEtcdRootFile, kEtcdDir, kEtcdLog}) {
    auto removed = dir.remove(name);
    if (!removed && first) first = std::move(removed);
  }
  return first;
}

bool Manager::renewal_is_due(const MembershipDir& dir, const Clock& clock) {
  return is_due(dir, kNodeCertificateFile, clock) || is_due(dir, kEtcdCertificateFile, clock);
}

Result<std::unique_ptr<Manager>> Manager::start(Settings settings, const Clock& clock,
                                                std::optional<Founding> founding,
                                                Deadline deadline) {
  MembershipDir dir(settings.dir);
  TRY(const std::string root, dir.read(kRootFile));
  TRY(const std::string root_key, dir.read(kRootKeyFile));
  TRY(auto authority, identity::Authority::load(root, root_key));
  TRY_DO(renew_if_due(dir, settings.membership, authority, clock));
  auto manager = std::make_unique<ManagerImpl>(std::move(settings), std::move(authority), clock);
  TRY_DO(manager->start_etcd());
  TRY_DO(manager->wait_for_etcd(deadline));
  TRY_DO(manager->serve(std::move(founding), deadline));
  return manager;
}

}  // namespace heddle::cluster
