/** `npm run bench`: starts the bench, in plain JavaScript so that it runs before anything is installed. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
process.chdir(root)
if (!existsSync(join(root, 'node_modules', 'tsx'))) {
  const installed = spawnSync('npm', ['ci'], { cwd: root, stdio: 'inherit' })
  if (installed.status !== 0) process.exit(installed.status ?? 1)
}
// The bench runs in this process, so that a signal reaches it.
const { register } = await import('tsx/esm/api')
register()
await import('./run.ts')
