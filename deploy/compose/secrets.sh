#!/bin/sh
# Makes the passwords of the links: random, known to nobody else, and made once: what is there stays.
# secrets/users-TIER.yaml says who may link to a gateway, with bcrypt hashes; secrets/creds-NAME.json is how NAME signs
# in above. .env names the user that owns the files and runs the containers.
set -eu
umask 077
cd "$(dirname "$0")"

# link NAME TIER FIELDS makes a password for the link of NAME and lets it in at TIER as FIELDS say.
link() {
	[ ! -e "secrets/creds-$1.json" ] || return 0
	password=$(od -An -N18 -tx1 /dev/urandom | tr -d ' \n')
	hash=$(printf %s "$password" | bcrypt)
	echo "- {name: link-$1, password: '$hash', $3}" >>"secrets/users-$2.yaml"
	echo "{\"user\": \"link-$1\", \"password\": \"$password\"}" >"secrets/creds-$1.json"
}

# bcrypt hashes the password on its standard input.
bcrypt() {
	if command -v htpasswd >/dev/null; then
		htpasswd -niBC 10 user | cut -d: -f2 | tr -d '\n'
		return
	fi
	perl -e '
		my @letters = (".", "/", "A".."Z", "a".."z", "0".."9");
		open my $random, "<", "/dev/urandom" or die "read /dev/urandom: $!\n";
		read $random, my $bytes, 22 or die "read /dev/urandom: $!\n";
		my $hash = crypt <STDIN>, q($2b$10$) . join "", map { $letters[$_ % 64] } unpack "C*", $bytes;
		die "crypt(3) knows no bcrypt here: install htpasswd (Debian: apache2-utils)\n" if ($hash // "") !~ /^\$2b\$/;
		print $hash'
}

mkdir -p secrets
link r01 center 'gateway: r01'
link r02 center 'gateway: r02'
link a001 r01 'agent: a001, region: r01'
link a002 r01 'agent: a002, region: r01'
link a003 r02 'agent: a003, region: r02'

owner=$(id -u):$(id -g)
if [ "$(id -u)" = 0 ]; then # containers need not be root even where whoever starts them is
	owner=65532:65532
	chown -R "$owner" secrets
fi
echo "WEIR_USER=$owner" >.env
