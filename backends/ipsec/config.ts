// The ipsec part of the network config.
import type { ConfigKeys, ConfigSection } from '../../src/backend.ts'
import { ConfigError } from '../../src/errors.ts'

/** `Backend` of the network config for Type ipsec. */
export interface IpsecConfig {
  /** The key that all hosts have. */
  readonly psk: NonNullable<ReturnType<ConfigSection['secret']>>
  readonly udpEncap: boolean
  readonly espProposal: string
}

/** As in Go's flanneld. */
const LEAST_PSK = 96
const MOST_PSK = 4096
const DEFAULT_PROPOSAL = 'aes128gcm16-sha256-prfsha256-ecp256'
/** Words of strongSwan, several proposals not among them: hosts have to choose the same one. */
const PROPOSAL = /^[a-z0-9_]+(-[a-z0-9_]+)*$/
const MOST_PROPOSAL = 200

export const IPSEC_KEYS = {
  PSK: {
    default: '',
    secret: true,
    required: true,
    doc: `the key that all hosts share: at least ${LEAST_PSK} characters (\`dd if=/dev/urandom count=48 bs=1 status=none | xxd -p -c 48\`); required`,
    change: 'every host begins its tunnels anew: packets are lost for about a second',
  },
  UDPEncap: {
    default: false,
    doc: 'ESP in UDP (port 4500) even where no NAT is between two hosts; takes 8 bytes more of the MTU',
    change: 'every host begins its tunnels anew: packets are lost for about a second',
  },
  ESPProposal: {
    default: DEFAULT_PROPOSAL,
    doc: "algorithms of the tunnel in strongSwan's words",
    change: 'every host begins its tunnels anew: packets are lost for about a second',
  },
} as const satisfies ConfigKeys

/** Throws ConfigError. */
export function parseIpsec(section: ConfigSection): IpsecConfig {
  const psk = section.secret('PSK', checkPsk)
  if (psk === undefined)
    throw new ConfigError('Backend.PSK', undefined, `is required: at least ${LEAST_PSK} characters`)
  return {
    psk,
    udpEncap: section.boolean('UDPEncap', IPSEC_KEYS.UDPEncap.default),
    espProposal: section.words('ESPProposal', IPSEC_KEYS.ESPProposal.default, (value) =>
      value.length <= MOST_PROPOSAL && PROPOSAL.test(value)
        ? undefined
        : `must be a proposal in strongSwan's words, such as ${DEFAULT_PROPOSAL}`,
    ),
  }
}

function checkPsk(value: string): string | undefined {
  if (value.length < LEAST_PSK) return `must have at least ${LEAST_PSK} characters, not ${value.length}`
  return value.length > MOST_PSK ? `must have at most ${MOST_PSK} characters, not ${value.length}` : undefined
}
