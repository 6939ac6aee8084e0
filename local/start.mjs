/**
 * `npm start`: installs packages and starts the stack, in plain JavaScript so that it runs before anything is
 * installed.
 */

import { fileURLToPath, pathToFileURL } from 'node:url'
import { HELP } from './help.mjs'
import { install } from './install.mjs'

if (process.argv.includes('--help')) {
  console.log(HELP)
  process.exit(0)
}
process.chdir(fileURLToPath(new URL('..', import.meta.url)))
install()

// The stack runs in this process, so that no other one stands between the terminal's Ctrl-C and the stack.
const { tsImport } = await import('tsx/esm/api')
const { bundleProgram } = await tsImport('./bundle-program.ts', import.meta.url)
process.setSourceMapsEnabled(true)
await import(pathToFileURL(await bundleProgram('local/start.ts')).href)
