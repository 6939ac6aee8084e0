/** Bundles a program into one executable file with everything in it. */

import { chmodSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

/**
 * tiny-secp256k1 reads its WebAssembly from a file beside its own. This plugin puts it inside the executable.
 */
const wasmInside: Plugin = {
  name: 'wasm-inside',
  setup({ onLoad }) {
    onLoad({ filter: /tiny-secp256k1\/lib\/wasm_loader\.js$/ }, ({ path }) => {
      const wasm = readFileSync(fileURLToPath(new URL('./secp256k1.wasm', `file://${path}`)))
      const code = readFileSync(path, 'utf8')
      return {
        contents: code.replace(
          /readFileSync\([^;]*secp256k1\.wasm[^;]*\)/s,
          `Buffer.from('${wasm.toString('base64')}', 'base64')`,
        ),
        loader: 'js',
      }
    })
  },
}

/** Bundles `entry`, a path from the repository's root, into the executable `file`, which needs Node alone. */
export async function buildProgram(entry: string, file: string): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL(`../${entry}`, import.meta.url))],
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    legalComments: 'none',
    plugins: [wasmInside],
    // The signer's own copy of the networks file (signer/commands/read-networks.ts).
    define: {
      __KEYTURN_NETWORKS__: JSON.stringify(
        readFileSync(new URL('../config/networks.yml', import.meta.url), 'utf8'),
      ),
    },
    // CommonJS packages inside call `require` for Node's modules.
    banner: {
      js: "#!/usr/bin/env node\nimport { createRequire as makeRequire } from 'node:module'\nconst require = makeRequire(import.meta.url)",
    },
    logLevel: 'warning',
  })
  chmodSync(file, 0o755)
}
