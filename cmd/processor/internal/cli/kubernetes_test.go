package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/leatstream/leat/cmd/processor/internal/config"
)

// The manifests are decoded strictly, into types that hold what of the Kubernetes API
// they use and no more: a misspelt or misplaced field is an error, as the API server
// would make it one. The API's own Go types would bring some 30 modules for that; these
// also let the test see what no schema can, that names, ports, volumes and time-outs
// fit each other and the processor's own configuration.

type objectMeta struct {
	Name        string
	Labels      map[string]string
	Annotations map[string]string
}

type labelSelector struct {
	MatchLabels map[string]string `yaml:"matchLabels"`
}

type configMap struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   objectMeta
	Data       map[string]string
}

type headlessService struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   objectMeta
	Spec       struct {
		ClusterIP                string `yaml:"clusterIP"`
		PublishNotReadyAddresses bool   `yaml:"publishNotReadyAddresses"`
		Selector                 map[string]string
		Ports                    []struct {
			Name       string
			Port       int
			TargetPort string `yaml:"targetPort"`
		}
	}
}

type disruptionBudget struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   objectMeta
	Spec       struct {
		MaxUnavailable int `yaml:"maxUnavailable"`
		Selector       labelSelector
	}
}

type statefulSet struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   objectMeta
	Spec       struct {
		Replicas             int
		ServiceName          string                `yaml:"serviceName"`
		PodManagementPolicy  string                `yaml:"podManagementPolicy"`
		UpdateStrategy       struct{ Type string } `yaml:"updateStrategy"`
		MinReadySeconds      int                   `yaml:"minReadySeconds"`
		Selector             labelSelector
		Template             podTemplate
		VolumeClaimTemplates []struct {
			Metadata objectMeta
			Spec     struct {
				AccessModes []string `yaml:"accessModes"`
				Resources   resources
			}
		} `yaml:"volumeClaimTemplates"`
	}
}

type podTemplate struct {
	Metadata objectMeta
	Spec     struct {
		TerminationGracePeriodSeconds int   `yaml:"terminationGracePeriodSeconds"`
		AutomountServiceAccountToken  *bool `yaml:"automountServiceAccountToken"`
		SecurityContext               struct {
			RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
			RunAsUser      int                   `yaml:"runAsUser"`
			RunAsGroup     int                   `yaml:"runAsGroup"`
			FSGroup        int                   `yaml:"fsGroup"`
			SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
		} `yaml:"securityContext"`
		TopologySpreadConstraints []struct {
			MaxSkew           int           `yaml:"maxSkew"`
			TopologyKey       string        `yaml:"topologyKey"`
			WhenUnsatisfiable string        `yaml:"whenUnsatisfiable"`
			LabelSelector     labelSelector `yaml:"labelSelector"`
		} `yaml:"topologySpreadConstraints"`
		Containers []container
		Volumes    []struct {
			Name      string
			ConfigMap *struct{ Name string } `yaml:"configMap"`
			EmptyDir  *struct{}              `yaml:"emptyDir"`
		}
	}
}

type container struct {
	Name  string
	Image string
	Args  []string
	Env   []struct {
		Name      string
		Value     string
		ValueFrom *struct {
			FieldRef struct {
				FieldPath string `yaml:"fieldPath"`
			} `yaml:"fieldRef"`
		} `yaml:"valueFrom"`
	}
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	StartupProbe    probe `yaml:"startupProbe"`
	LivenessProbe   probe `yaml:"livenessProbe"`
	ReadinessProbe  probe `yaml:"readinessProbe"`
	Resources       resources
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet struct {
		Path string
		Port string
	} `yaml:"httpGet"`
	PeriodSeconds    int `yaml:"periodSeconds"`
	TimeoutSeconds   int `yaml:"timeoutSeconds"`
	FailureThreshold int `yaml:"failureThreshold"`
}

type resources struct {
	Requests map[string]string
	Limits   map[string]string
}

// manifests are the objects of a file.
type manifests struct {
	config  configMap
	service headlessService
	budget  disruptionBudget
	set     statefulSet
}

func readManifests(t *testing.T, file string) (m manifests) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]any{"v1 ConfigMap": &m.config, "v1 Service": &m.service, "policy/v1 PodDisruptionBudget": &m.budget, "apps/v1 StatefulSet": &m.set}
	docs := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		if err := docs.Decode(&doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		var head struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string
		}
		if err := doc.Decode(&head); err != nil {
			t.Fatal(err)
		}
		kind := head.APIVersion + " " + head.Kind
		into, ok := kinds[kind]
		if !ok {
			t.Fatalf("%s: there is a second %s, or one that is not known", file, kind)
		}
		delete(kinds, kind)
		again, err := yaml.Marshal(&doc)
		if err != nil {
			t.Fatal(err)
		}
		strict := yaml.NewDecoder(bytes.NewReader(again))
		strict.KnownFields(true)
		if err := strict.Decode(into); err != nil {
			t.Errorf("%s: %s: %v", file, kind, err)
		}
	}
	for kind := range kinds {
		t.Errorf("%s: there is no %s", file, kind)
	}
	return m
}

// TestKubernetes: the manifests are what the API takes, and fit each other, the image and
// what the processor understands and serves.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(root + "deploy/kubernetes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		m := readManifests(t, file)
		if t.Failed() {
			return
		}
		pod := m.set.Spec.Template
		check := func(ok bool, what string) {
			if !ok {
				t.Errorf("%s: %s", file, what)
			}
		}
		for _, selector := range []map[string]string{m.set.Spec.Selector.MatchLabels, m.service.Spec.Selector, m.budget.Spec.Selector.MatchLabels, pod.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels} {
			for key, value := range selector {
				check(pod.Metadata.Labels[key] == value, "a selector does not match the pods")
			}
			check(len(selector) > 0, "a selector matches everything")
		}
		check(m.set.Spec.ServiceName == m.service.Metadata.Name && m.service.Spec.ClusterIP == "None", "the set's service is not its headless one")
		check(m.set.Spec.Replicas >= 3 && m.budget.Spec.MaxUnavailable == 1, "replicas, or how many may be away")
		check(pod.Spec.SecurityContext.RunAsNonRoot && pod.Spec.SecurityContext.FSGroup == 65532, "the image's user cannot write to the volume")
		checkContainer(t, file, m)
	}
}

func checkContainer(t *testing.T, file string, m manifests) {
	t.Helper()
	pod, c := m.set.Spec.Template.Spec, m.set.Spec.Template.Spec.Containers[0]
	check := func(ok bool, what string) {
		if !ok {
			t.Errorf("%s: %s", file, what)
		}
	}
	claims, mounts := map[string]bool{}, map[string]string{}
	for _, v := range m.set.Spec.VolumeClaimTemplates {
		claims[v.Metadata.Name] = v.Spec.Resources.Requests["storage"] != ""
	}
	for _, v := range pod.Volumes {
		claims[v.Name] = v.ConfigMap == nil || v.ConfigMap.Name == m.config.Metadata.Name
	}
	for _, v := range c.VolumeMounts {
		check(claims[v.Name], "there is no volume "+v.Name)
		mounts[v.MountPath] = v.Name
	}
	for _, p := range []struct {
		probe
		path string
	}{{c.StartupProbe, "/healthz"}, {c.LivenessProbe, "/healthz"}, {c.ReadinessProbe, "/readyz"}} {
		check(p.HTTPGet.Path == p.path && p.HTTPGet.Port == c.Ports[0].Name, "a probe asks for "+p.HTTPGet.Path)
	}
	check(c.Resources.Requests["memory"] != "" && c.Resources.Limits["memory"] == c.Resources.Requests["memory"] && c.Resources.Limits["cpu"] == "", "resources")

	dir, name := filepath.Split(c.Args[2])
	check(mounts[filepath.Clean(dir)] == "config" && c.Args[0] == "run" && c.Args[1] == "--config", "the configuration is not mounted where it is read")
	var env []string
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			value = "wordcount-0"
			check(e.ValueFrom.FieldRef.FieldPath == "metadata.name", e.Name)
		}
		check(e.Name != "GOMEMLIMIT", "GOMEMLIMIT switches memory.budget off")
		env = append(env, e.Name+"="+value)
	}
	check(len(config.StrayEnv(catalog(), env)) == 0, "an environment variable sets nothing")
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(m.config.Data[name]), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(catalog(), config.Sources{File: path, Env: env})
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	grace := time.Duration(pod.TerminationGracePeriodSeconds) * time.Second
	limit, err := config.ParseSize(c.Resources.Limits["memory"] + "B")
	check(err == nil && loaded.Memory.Budget < limit, "memory.budget is not less than what the container may take")
	check(mounts[loaded.State.Dir] == "state", "local state is not on its volume")
	check(loaded.Membership.InstanceID == "wordcount-0", "the pod's name is not the instance's")
	check(grace > loaded.Processing.ShutdownTimeout, "a pod is killed before it has stopped")
	check(strings.HasSuffix(loaded.HTTP.Listen, ":8080") && c.Ports[0].ContainerPort == 8080 && m.service.Spec.Ports[0].TargetPort == c.Ports[0].Name, "the port")
}
