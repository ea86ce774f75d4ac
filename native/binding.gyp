{
  "targets": [
    {
      "target_name": "tandem_native",
      "sources": [
        "src/module.cc",
        "src/common.cc",
        "src/poller.cc",
        "src/listeners.cc",
        "src/netlink.cc",
        "src/routes.cc",
        "src/macvlan.cc",
        "src/packet.cc",
        "src/raw6.cc",
        "src/process.cc",
        "src/unix-datagram.cc",
        "src/relay.cc",
        "src/relay-accept.cc",
        "src/relay-connect.cc",
        "src/relay-peek.cc",
        "src/relay-pipes.cc",
        "src/relay-splice.cc",
        "src/relay-route.cc",
        "src/relay-loop.cc",
        "src/relay-args.cc",
        "src/relay-api.cc",
        "src/udp-batch.cc",
        "src/udp-session.cc",
        "src/udp-relay.cc",
        "src/udp-api.cc"
      ],
      "dependencies": [
        "<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except"
      ],
      # A worker that is terminated cannot be thrown at: that must not end the process.
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"],
      "cflags_cc": ["-std=c++17"],
      # Warnings end the build where we build; a user's newer compiler may know warnings that we do not.
      "cflags": ["-Wall", "-Wextra", "<!@(node -p \"process.env.CI ? '-Werror' : ''\")"],
    }
  ]
}
