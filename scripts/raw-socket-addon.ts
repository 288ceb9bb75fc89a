// An esbuild plugin: the package raw-socket finds its addon where ours is, next to the bundle or inside the single
// file, instead of in node_modules.
import type { Plugin } from 'esbuild'

/** What takes the place of `require('./build/Release/raw.node')`. Of another Node than it was built for there is none. */
const finder = `
const { loadNative } = require('../src/netlink/native.ts')
module.exports = loadNative('raw-' + process.versions.node.split('.')[0] + '.node')
`

/** The plugin. */
export const rawSocketAddon: Plugin = {
  name: 'raw-socket-addon',
  setup(build) {
    build.onResolve({ filter: /\/raw\.node$/ }, () => ({ path: 'addon', namespace: 'raw-socket' }))
    build.onLoad({ filter: /^addon$/, namespace: 'raw-socket' }, () => ({
      contents: finder,
      loader: 'js',
      resolveDir: import.meta.dirname,
    }))
  },
}
