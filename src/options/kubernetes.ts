// The flags of Go's flanneld for Kubernetes. They are known, so that the refusal names Kubernetes instead of a typing error.
import * as format from './format.ts'
import type { Row } from './format.ts'
import type { Options } from './type.ts'

/** Their names in Options. */
type Names =
  | 'kubeSubnetMgr'
  | 'kubeApiUrl'
  | 'kubeAnnotationPrefix'
  | 'kubeconfigFile'
  | 'netConfigPath'
  | 'setNodeNetworkUnavailable'

/** Their rows, part of TABLE. */
export const KUBERNETES: { readonly [K in Names]: Row<Options[K]> } = {
  kubeSubnetMgr: {
    flag: 'kube-subnet-mgr',
    default: false,
    format: format.flagBoolean,
    unsupported: 'refused',
    doc: 'lease subnets from Kubernetes instead of etcd',
  },
  kubeApiUrl: {
    flag: 'kube-api-url',
    default: undefined,
    format: format.optional,
    unsupported: 'refused',
    doc: 'URL of the Kubernetes API server',
  },
  kubeAnnotationPrefix: {
    flag: 'kube-annotation-prefix',
    default: 'flannel.alpha.coreos.com',
    format: format.string,
    unsupported: 'refused',
    doc: 'prefix of the annotations on Kubernetes nodes',
  },
  kubeconfigFile: {
    flag: 'kubeconfig-file',
    default: undefined,
    format: format.optional,
    unsupported: 'refused',
    doc: 'kubeconfig file',
  },
  netConfigPath: {
    flag: 'net-config-path',
    default: '/etc/kube-flannel/net-conf.json',
    format: format.string,
    unsupported: 'refused',
    doc: 'file with the network config under Kubernetes',
  },
  setNodeNetworkUnavailable: {
    flag: 'set-node-network-unavailable',
    default: true,
    format: format.flagBoolean,
    unsupported: 'refused',
    doc: 'clear NodeNetworkUnavailable of the Kubernetes node when ready',
  },
}
