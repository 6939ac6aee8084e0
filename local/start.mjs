/** Installs packages and starts the stack: plain JavaScript, so that it runs before anything is installed. */

import { fileURLToPath } from 'node:url'
import { HELP } from './help.mjs'
import { install } from './install.mjs'

if (process.argv.includes('--help')) {
  console.log(HELP)
  process.exit(0)
}
process.chdir(fileURLToPath(new URL('..', import.meta.url)))
install()

// In this same process: one less between the terminal's Ctrl-C and the stack.
const { register } = await import('tsx/esm/api')
register()
await import('./start.ts')
