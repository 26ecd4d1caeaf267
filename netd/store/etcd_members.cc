#include "netd/store/etcd_members.h"

#include "netd/store/etcd_client.h"

namespace heddle::store {
namespace {

namespace pb = etcdserverpb;

template <class List>
std::vector<EtcdMembers::Member> to_members(const List& from) {
  std::vector<EtcdMembers::Member> members;
  for (const pb::Member& each : from) {
    members.push_back({each.id(), each.name(),
                       each.peerurls_size() == 0 ? std::string() : each.peerurls(0),
                       each.islearner()});
  }
  return members;
}

class Members final : public EtcdMembers {
 public:
  explicit Members(std::shared_ptr<grpc::Channel> channel)
      : client_(channel, ""),
        cluster_(pb::Cluster::NewStub(channel)),
        maintenance_(pb::Maintenance::NewStub(channel)) {}

  Result<Status> status(Deadline deadline) override {
    pb::StatusResponse response;
    TRY_DO(call("ask etcd how it is", deadline, [&](grpc::ClientContext& context) {
      return maintenance_->Status(&context, pb::StatusRequest(), &response);
    }));
    return Status{response.header().member_id(), response.leader(), response.islearner()};
  }

  Result<std::vector<Member>> list(Deadline deadline) override {
    pb::MemberListResponse response;
    TRY_DO(call("list etcd's members", deadline, [&](grpc::ClientContext& context) {
      return cluster_->MemberList(&context, pb::MemberListRequest(), &response);
    }));
    return to_members(response.members());
  }

  Result<std::vector<Member>> add_learner(const std::string& peer_url, Deadline deadline) override {
    pb::MemberAddRequest request;
    request.add_peerurls(peer_url);
    request.set_islearner(true);
    pb::MemberAddResponse response;
    TRY_DO(call("add a member to etcd", deadline, [&](grpc::ClientContext& context) {
      return cluster_->MemberAdd(&context, request, &response);
    }));
    return to_members(response.members());
  }

  Result<> promote(std::uint64_t member, Deadline deadline) override {
    pb::MemberPromoteRequest request;
    request.set_id(member);
    pb::MemberPromoteResponse response;
    return call("make a member of etcd a voter", deadline, [&](grpc::ClientContext& context) {
      return cluster_->MemberPromote(&context, request, &response);
    });
  }

  Result<> remove(std::uint64_t member, Deadline deadline) override {
    pb::MemberRemoveRequest request;
    request.set_id(member);
    pb::MemberRemoveResponse response;
    return call("take a member out of etcd", deadline, [&](grpc::ClientContext& context) {
      const grpc::Status status = cluster_->MemberRemove(&context, request, &response);
      return status.error_code() == grpc::NOT_FOUND ? grpc::Status::OK : status;
    });
  }

  Result<> move_leader(std::uint64_t to, Deadline deadline) override {
    pb::MoveLeaderRequest request;
    request.set_targetid(to);
    pb::MoveLeaderResponse response;
    return call("hand on etcd's lead", deadline, [&](grpc::ClientContext& context) {
      return maintenance_->MoveLeader(&context, request, &response);
    });
  }

 private:
  template <class Call>
  Result<> call(std::string_view what, Deadline deadline, Call run) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    set_deadline(context, deadline);
    const grpc::Status status = run(context);
    if (status.ok()) return {};
    return std::unexpected(client_.error(status, what));
  }

  EtcdClient client_;
  std::unique_ptr<pb::Cluster::Stub> cluster_;
  std::unique_ptr<pb::Maintenance::Stub> maintenance_;
};

}  // namespace

Result<std::unique_ptr<EtcdMembers>> open_members(const EtcdTarget& target) {
  TRY(auto channel, etcd_channel(target));
  return std::make_unique<Members>(std::move(channel));
}

}  // namespace heddle::store
