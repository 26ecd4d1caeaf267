#include "netd/cluster/manager_health.h"

#include <memory>

namespace heddle::cluster {
namespace {

struct Question {
  std::unique_ptr<node::v1::NodeApi::Stub> stub;
  grpc::ClientContext context;
  node::v1::HealthReply reply;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<node::v1::HealthReply>> reader;
};

}  // namespace

ManagerAddress address_of(const model::Node& node) {
  return {node.id, SocketAddr{node.address, node.api_port}.format()};
}

std::vector<ManagerAddress> managers_among(const std::vector<model::Node>& nodes) {
  std::vector<ManagerAddress> managers;
  for (const model::Node& node : nodes) {
    if (node.role == model::NodeRole::manager) managers.push_back(address_of(node));
  }
  return managers;
}

std::vector<ManagerHealth> ask_managers(const std::vector<ManagerAddress>& managers,
                                        const Credentials& credentials, Deadline deadline) {
  grpc::CompletionQueue queue;
  std::vector<Question> questions(managers.size());
  for (std::size_t i = 0; i < managers.size(); ++i) {
    Question& question = questions[i];
    question.stub = node::v1::NodeApi::NewStub(dial(managers[i].target, credentials));
    set_deadline(question.context, deadline);
    question.reader =
        question.stub->AsyncHealth(&question.context, node::v1::HealthRequest(), &queue);
    question.reader->Finish(&question.reply, &question.status, &question);
  }
  void* tag = nullptr;
  bool ok = false;
  for (std::size_t i = 0; i < managers.size(); ++i) (void)queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  std::vector<ManagerHealth> answers;
  for (std::size_t i = 0; i < managers.size(); ++i) {
    if (!questions[i].status.ok()) continue;
    const node::v1::HealthReply& reply = questions[i].reply;
    answers.push_back({managers[i].node, reply.member(), reply.leader(), reply.voter()});
  }
  return answers;
}

}  // namespace heddle::cluster
