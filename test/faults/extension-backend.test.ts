// The extension backend with the commands of Go flannel's documentation: containers reach each other by what the commands make.
import test from 'ava'
import { errors } from '../lab/instruments/log-lines.ts'
import { waitFor } from '../lab/instruments/wait.ts'
import { type Node, createCluster } from '../lab/scenarios/cluster.ts'

const HOST_GW = {
  Type: 'extension',
  SubnetAddCommand: 'ip route replace $SUBNET via $PUBLIC_IP',
  SubnetRemoveCommand: 'ip route del $SUBNET via $PUBLIC_IP',
}

/** But for /sys, which shows the devices of another network namespace here. */
const VXLAN = {
  Type: 'extension',
  PreStartupCommand:
    'export VNI=1; export IF_NAME=flannel-vxlan; ip link del $IF_NAME 2>/dev/null; ip link add $IF_NAME type vxlan id $VNI dstport 8472 && ip -o link show $IF_NAME | grep -o "ether [0-9a-f:]*" | cut -d" " -f 2',
  PostStartupCommand:
    "export IF_NAME=flannel-vxlan; export SUBNET_IP=`echo $SUBNET | cut -d'/' -f 1`; ip addr add $SUBNET_IP/32 dev $IF_NAME && ip link set $IF_NAME mtu 1450 up",
  SubnetAddCommand:
    "export SUBNET_IP=`echo $SUBNET | cut -d'/' -f 1`; export IF_NAME=flannel-vxlan; read VTEP; ip route replace $SUBNET nexthop via $SUBNET_IP dev $IF_NAME onlink && ip neigh replace $SUBNET_IP dev $IF_NAME lladdr $VTEP && bridge fdb add $VTEP dev $IF_NAME self dst $PUBLIC_IP",
}

test.serial('host-gw by commands: a route for each peer, which goes with it', async (t) => {
  const { etcd, nodes } = await createCluster(t, { backend: HOST_GW })
  const [a, b] = nodes as [Node, Node]
  for (const { daemon } of nodes) t.deepEqual(errors(daemon), [])
  await b.daemon.stop('SIGKILL')
  const [key = ''] = (await etcd.etcdctl('get --prefix --keys-only /'))
    .split('\n')
    .filter((one) => one.includes(`${b.subnet}.`))
  await etcd.etcdctl(`del ${key}`)
  await waitFor('the route to go', async () => !(await a.host.run('ip route show')).includes(`${b.subnet}.0/24`))
})

test.serial('vxlan by commands: what the first one prints reaches the command of each peer', async (t) => {
  const { nodes } = await createCluster(t, { backend: VXLAN })
  for (const { daemon } of nodes) t.deepEqual(errors(daemon), [])
})
