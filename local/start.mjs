// Plain JavaScript, so that it runs before anything is installed: installs packages, starts the stack.

import { fileURLToPath } from 'node:url'
import { install } from './install.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
install()

// In this same process: one less between the terminal's Ctrl-C and the stack.
const { register } = await import('tsx/esm/api')
register()
await import('./start.ts')
