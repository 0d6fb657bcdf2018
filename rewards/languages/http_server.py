"""Serves the reward function of a DeepRacer file over HTTP, with Python's standard library alone.

    python rewards/languages/http_server.py --reward rewards/follow_center_line.py --port 8080
    make validate REWARD=rewards/languages/http.yaml

Every POST's body is one JSON object: the first one of a session announces the track, the others carry the parameters of
all cars. A function that remembers things would tell sessions apart by the header KubeRacer-Session.
"""

import argparse
import contextlib
import json
import runpy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for the whole training
    disable_nagle_algorithm = True  # or the end of each answer waits 40 ms for the start to be acknowledged
    wbufsize = -1  # head and body of an answer leave together

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            answer = self.answer(request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, request):
        if "kuberacer_reward" in request:
            keys = self.server.keys
            return {"kuberacer_reward": 1, **({"keys": keys} if keys else {})}
        return {"rewards": [self.server.reward_function(params) for params in request["params"]]}

    def log_message(self, *_):
        """A line for every step of a training is of no use."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reward", default="rewards/follow_center_line.py", help="a DeepRacer file (%(default)s)")
    parser.add_argument("--keys", default="", help="keys that it reads, separated by commas (default: all are sent)")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0: reachable from other machines (%(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="0: any free one (%(default)s)")
    options = parser.parse_args()
    server = ThreadingHTTPServer((options.host, options.port), Handler)
    server.reward_function = runpy.run_path(options.reward)["reward_function"]
    server.keys = [key for key in options.keys.split(",") if key]
    print(f"http://{options.host}:{server.server_port}/", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
