"""What a pod is given by the cluster: secrets, config maps and its own fields as environment, volumes, where it runs.

Clusters only: a local process has none of it. The namespace holds a secret and a config map `conformance`, each with
the key `word` (`secret` and `mapped`).
"""

from kfp import dsl, kubernetes

from conformance.case import IMAGE, Case

LOOK = """
import os, sys
read = lambda path: open(path).read()
found = [os.environ['SECRET'], os.environ['MAPPED'], os.environ['POD'] == os.environ['HOSTNAME'], os.environ['PLAIN'],
         os.environ.get('MISSING'), read('/secret/word'), read('/mapped/word')]
open('/scratch/file', 'w').write('kept')
found.append(read('/scratch/file'))
print(*found, sep='|', end='', file=open(sys.argv[1], 'w'))
"""


@dsl.container_component
def look(found: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", LOOK], args=[found])


@dsl.pipeline(name="pods")
def pods(processors: str = "100m", memory: str = "64Mi"):
    task = look()
    kubernetes.use_secret_as_env(task, "conformance", {"word": "SECRET"})
    kubernetes.use_secret_as_env(task, "no-such-secret", {"word": "MISSING"}, optional=True)
    kubernetes.use_config_map_as_env(task, "conformance", {"word": "MAPPED"})
    kubernetes.use_field_path_as_env(task, "POD", "metadata.name")
    kubernetes.use_secret_as_volume(task, "conformance", "/secret")
    kubernetes.use_config_map_as_volume(task, "conformance", "/mapped")
    kubernetes.empty_dir_mount(task, "scratch", "/scratch", size_limit="1Mi")
    kubernetes.add_node_selector(task, "kubernetes.io/os", "linux")
    kubernetes.add_toleration(task, key="rented", operator="Exists", effect="NoSchedule", toleration_seconds=None)
    kubernetes.add_pod_label(task, "kuberacer.io/role", "trainer")
    task.set_env_variable("PLAIN", "$(POD) {{x}}")
    task.set_cpu_request(processors).set_cpu_limit("1").set_memory_request("32Mi").set_memory_limit(memory)


CASES = [Case("environment", pods, {"look": [{"found": "secret|mapped|True|$(POD) {{x}}|None|secret|mapped|kept"}]})]
