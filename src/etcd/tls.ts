// TLS towards etcd as Go has it: every certificate in the authority's file is trusted, a root, an authority that a root signed, or
// etcd's own certificate; names are checked in any case.
import { type ChannelCredentials, credentials } from '@grpc/grpc-js'
import { isIP } from 'node:net'
import { type SecureContextOptions, createSecureContext } from 'node:tls'
import type { Credentials } from './endpoints.ts'

/** What Node's tls takes of our files. */
export function tlsOptions({ rootCertificate, privateKey, certChain }: Credentials): SecureContextOptions {
  return {
    ca: rootCertificate,
    // OpenSSL alone wants the chain up to a root; Go's verifier is content with anything it was given to trust.
    allowPartialTrustChain: true,
    ...(privateKey === undefined ? {} : { key: privateKey }),
    ...(certChain === undefined ? {} : { cert: certChain }),
  }
}

/** Credentials of a gRPC channel. */
export function channelCredentials(files: Credentials): ChannelCredentials {
  const made = credentials.createFromSecureContext(createSecureContext(tlsOptions(files)))
  const connectorOf = made._createSecureConnector.bind(made)
  made._createSecureConnector = (...given) => {
    const connector = connectorOf(...given)
    // gRPC asks TLS for an address as if it were a name (RFC 6066 has none), of which Node warns; `host` is checked all the same.
    const { connectionOptions } = connector as unknown as { connectionOptions?: { servername?: string } }
    if (connectionOptions !== undefined && isIP(connectionOptions.servername ?? '') !== 0)
      delete connectionOptions.servername
    return connector
  }
  return made
}
