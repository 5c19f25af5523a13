/** The manual page postrider(1), made from the commands. */
import { allOf, type CommandNode } from './command-tree.ts';

export function manualPage(tree: CommandNode): string {
  const commands = allOf(tree).filter(({ path, children }) => path.length > 0 && children.length === 0);
  return `.\\" Made by scripts/generate.ts; do not edit.
.TH POSTRIDER 1 "" "postrider" "User commands"
.ad l
.SH NAME
postrider \\- outbound mail transfer agent
.SH SYNOPSIS
.B postrider
.I command
[\\fIoptions\\fR]
.SH DESCRIPTION
Takes mail over SMTP and HTTP, keeps it on disk, and delivers it from many addresses, at the speed that each receiver
bears. The server is started by
.BR "postrider serve" ;
the other commands ask it over its control socket, or work without it.
.SH COMMANDS
${commands.map(section).join('\n')}
.SH EXIT STATUS
.TP
.B 0
It is done, or the answer is yes; also an operation on the queue that no mail matches.
.TP
.B 1
The answer is no: nothing found, not ready, no server, not confirmed.
.TP
.B 2
Wrong usage or configuration; also a destructive command without a terminal to ask on and without
.BR \\-\\-yes .
.TP
.B 70
A defect of postrider.
.SH ENVIRONMENT
.TP
.B POSTRIDER_SOCKET
Control socket, where neither \\-\\-socket nor \\-c is given.
.TP
.B NO_COLOR
Set: no colours. Without a terminal there are none anyway.
.SH FILES
.I /etc/postrider/postrider.yaml
.SH EXAMPLES
.EX
postrider status
postrider explain ann@example.net
postrider queue hold \\-\\-campaign spring \\-\\-dry\\-run
postrider message list \\-\\-recipient ann@example.net
postrider events \\-\\-follow \\-\\-type alert \\-\\-json
.EE
`;
}

function section({ path, arguments: words, text, options }: CommandNode): string {
  const own = options.filter(({ names }) => !names.includes('--help'));
  return [
    `.SS "postrider ${roff([...path, words].join(' ').trim())}"`,
    `${roff(capital(text))}.`,
    ...own.flatMap((option) => ['.TP', `\\fB${roff(option.flags)}\\fR`, roff(capital(option.text))]),
  ].join('\n');
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Text that means nothing to roff: no line begins with a dot or quote, and a hyphen can be copied. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replace(/^([.'])/, '\\&$1');
