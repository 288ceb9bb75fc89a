// Loaded before the daemon (node --require): at the exit it prints the longest time its event loop took no turn.
const { monitorEventLoopDelay } = require('node:perf_hooks')
const delay = monitorEventLoopDelay({ resolution: 1 })
delay.enable()
process.on('exit', () => {
  const ms = (ns) => (ns / 1e6).toFixed(1)
  process.stderr.write(`event loop: longest ${ms(delay.max)} p99.9 ${ms(delay.percentile(99.9))}\n`)
})
