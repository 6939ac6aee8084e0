/**
 * `npm run build`: the two programs that customers run, each one executable file with everything in it, and the workflows' code
 * as one file, which workers would otherwise make anew at every start.
 */

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundleWorkflowCode } from '@temporalio/worker'
import { build, type Plugin } from 'esbuild'

const PROGRAMS = [
  { entry: 'signer/main.ts', file: 'dist/keyturn-signer' },
  { entry: 'client/approve.ts', file: 'dist/keyturn-approve' },
] as const

/** tiny-secp256k1 reads its WebAssembly from beside its own file; in one executable it is inside. */
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

async function main(): Promise<void> {
  mkdirSync('dist', { recursive: true })
  for (const { entry, file } of PROGRAMS) {
    await build({
      entryPoints: [entry],
      outfile: file,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      legalComments: 'none',
      plugins: [wasmInside],
      // The signer's own copy of the networks file (signer/commands/read-networks.ts).
      define: { __KEYTURN_NETWORKS__: JSON.stringify(readFileSync('config/networks.yml', 'utf8')) },
      // CommonJS packages inside ask for Node's modules with require.
      banner: {
        js: "#!/usr/bin/env node\nimport { createRequire as makeRequire } from 'node:module'\nconst require = makeRequire(import.meta.url)",
      },
      logLevel: 'warning',
    })
    chmodSync(file, 0o755)
    console.log(file)
  }
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
  })
  writeFileSync('dist/workflows.js', code)
  console.log('dist/workflows.js')
}

await main()
