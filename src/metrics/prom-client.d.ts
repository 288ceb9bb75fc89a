// The parts of prom-client that are used, one by one: its front door also loads cluster, a push gateway, OpenTelemetry and
// a timer that wakes the process every 10 ms, which a daemon at rest has no use for.

declare module 'prom-client/lib/registry.js' {
  interface Value {
    readonly labels?: Readonly<Record<string, string>>
    readonly value: number
    readonly metricName?: string
  }
  interface Registered {
    readonly name: string
    readonly help: string
    readonly type: string
  }
  interface Source extends Registered {
    get(): Promise<Registered & { readonly values: readonly Value[] }>
  }
  class Registry {
    readonly contentType: string
    registerMetric(metric: Source): void
    getMetricsAsArray(): readonly Registered[]
    metrics(): Promise<string>
  }
  export { Registry as default }
}

declare module 'prom-client/lib/metrics/*' {
  import type Registry from 'prom-client/lib/registry.js'
  function add(registry: Registry): void
  export { add as default }
}
