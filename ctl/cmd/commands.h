#pragma once

namespace CLI {
class App;
}

// Each adds its commands to `app` (the whole program's); the context outlives it.
namespace heddle::cmd {

struct Context;

void register_network(CLI::App& app, Context& context);
void register_port(CLI::App& app, Context& context);
void register_workload(CLI::App& app, Context& context);  // run, ps, rm, exec
void register_service(CLI::App& app, Context& context);
void register_swarm(CLI::App& app, Context& context);
void register_node(CLI::App& app, Context& context);
void register_sidecar(CLI::App& app, Context& context);
void register_lb(CLI::App& app, Context& context);
void register_flows(CLI::App& app, Context& context);
void register_system(CLI::App& app, Context& context);  // verify, system, completion, version
void register_lab(CLI::App& app, Context& context);
void register_lab_link(CLI::App& app, Context& context);
void register_lab_graph(CLI::App& app, Context& context);
void register_lab_generate(CLI::App& app, Context& context);
void register_lab_capture(CLI::App& app, Context& context);
void register_lab_events(CLI::App& app, Context& context);
void register_lab_save(CLI::App& app, Context& context);

}  // namespace heddle::cmd
